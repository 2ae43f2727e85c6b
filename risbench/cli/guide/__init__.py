"""What helps a user to write a command: examples, groups and completion; options of methods and recipes."""
