"""Commands that show results to others: the leaderboard, and files for other tools."""
