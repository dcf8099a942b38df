//! Tests that run on each kind of server.

/// Which server a lattice for tests is on.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// The embedded lattice.
    Embedded,
    /// A nats-server of this version.
    Nats(&'static str),
}

/// Makes a module of tests for each server from functions that take a [`Target`]: the embedded lattice and nats-server
/// 2.12. With `also MODULE = VERSION:` in front there is one more.
#[macro_export]
macro_rules! for_all_servers {
    (also $module:ident = $version:literal: $($test:ident),* $(,)?) => {
        $crate::for_all_servers!($($test),*);
        $crate::for_all_servers!(@ $module, $crate::Target::Nats($version), $($test),*);
    };
    ($($test:ident),* $(,)?) => {
        $crate::for_all_servers!(@ embedded, $crate::Target::Embedded, $($test),*);
        $crate::for_all_servers!(@ nats_2_12, $crate::Target::Nats("2.12.8"), $($test),*);
    };
    (@ $module:ident, $target:expr, $($test:ident),*) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() -> anyhow::Result<()> {
                    super::$test($target).await
                }
            )*
        }
    };
}
