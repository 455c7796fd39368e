"""The prompt: statements and commands that are typed, completed, and run one by one."""
