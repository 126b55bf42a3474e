"""The running recorder as a process: signals, systemd, timed work, the renderer beside it."""
