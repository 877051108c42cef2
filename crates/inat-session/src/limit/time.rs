//! A time that does not jump when somebody sets the clock.
