"""What the methods that ask a CLIP share: opening any CLIP, prompting it, and reading where it looks."""
