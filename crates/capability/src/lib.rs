//! What a capability is: the invocation context, per-instance state, links and the built-in provider lifecycle.
