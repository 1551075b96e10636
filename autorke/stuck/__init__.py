"""What stands still for a reason that has a name: found by looking, shown with its repair, gone with its cause."""
