//! OAM applications: parse with positions, validate, resolve into desired state.
