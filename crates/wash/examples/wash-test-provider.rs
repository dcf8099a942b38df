//! The provider that tests of `wash` run.

fn main() -> std::process::ExitCode {
    wasmcloud_test_provider::run()
}
