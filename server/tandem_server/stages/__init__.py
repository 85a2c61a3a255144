"""What each stage must be able to do, and the pure functions of the stages."""
