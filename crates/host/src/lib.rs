//! What runs on this host: components, providers, links, config, and the router between them.
