//! The provider that tests of the host run.

fn main() -> std::process::ExitCode {
    wasmcloud_test_provider::run()
}
