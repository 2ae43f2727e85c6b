"""Scoring predictions that somebody brought, in every form in which they come."""
