"""Worker processes with limits that read films."""
