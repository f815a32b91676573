//! Gradient methods: one step at a time, on lent state.
