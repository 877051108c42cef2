//! The budget: how many requests may go out, shared by every process on the machine.
