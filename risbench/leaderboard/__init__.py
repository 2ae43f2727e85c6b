"""The leaderboard: entries of submitted runs, their ranking, and published figures."""
