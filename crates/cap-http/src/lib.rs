//! HTTP for components: ingress on hyper, pooled and policed egress.
