//! What went wrong on the way to a server, in the words that `wasi:http` has for guests.

use std::error::Error as StdError;
use std::io;

use hyper_util::client::legacy;
use wasmtime_wasi_http::Error;

use super::connect::ConnectError;

/// Why a request got no response head.
pub(crate) fn unsent(error: &legacy::Error) -> Error {
    if let Some(connect) = find::<ConnectError>(error) {
        return unconnected(connect);
    }
    // Without either, the pool gave up on a connection that closed while the request waited for it.
    find::<hyper::Error>(error).map_or(Error::ConnectionTerminated, broken)
}

/// The first cause of an error that is of this type.
pub(crate) fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut cause = error.source()?;
    loop {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        cause = cause.source()?;
    }
}

/// Why there is no connection.
fn unconnected(error: &ConnectError) -> Error {
    match error {
        ConnectError::NoDestination => Error::HttpRequestUriInvalid,
        ConnectError::Limit => Error::ConnectionLimitReached,
        // The resolver of the system does not say which of the two it was, so neither do we.
        ConnectError::Lookup(_) | ConnectError::NoAddress => Error::DnsError {
            rcode: Some("address not available".to_owned()),
            info_code: Some(0),
        },
        ConnectError::Prohibited(_) => Error::DestinationIpProhibited,
        ConnectError::Tcp(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
            io::ErrorKind::TimedOut => Error::ConnectionTimeout,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                Error::DestinationIpUnroutable
            }
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Error::ConnectionTerminated,
            _ => Error::DestinationUnavailable,
        },
        ConnectError::Tls(error) => untrusted(error),
        ConnectError::Timeout => Error::ConnectionTimeout,
        ConnectError::Setup(reason) => Error::InternalError(Some(reason.clone())),
    }
}

fn untrusted(error: &io::Error) -> Error {
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            Error::TlsCertificateError
        }
        Some(rustls::Error::AlertReceived(alert)) => Error::TlsAlertReceived {
            alert_id: Some(u8::from(*alert)),
            alert_message: Some(format!("{alert:?}")),
        },
        _ => Error::TlsProtocolError,
    }
}

/// Why a connection broke off in the middle of an exchange.
pub(crate) fn broken(error: &hyper::Error) -> Error {
    if error.is_timeout() {
        return Error::HttpResponseTimeout;
    }
    if error.is_incomplete_message() {
        return Error::HttpResponseIncomplete;
    }
    if error.is_parse_too_large() {
        return Error::HttpResponseHeaderSectionSize(None);
    }
    // The request's own body failed: the guest wrote more or less than it had said, or gave up.
    if let Some(own) = find::<Error>(error) {
        return match own {
            Error::HttpRequestBodySize(size) => Error::HttpRequestBodySize(*size),
            Error::ConnectionTerminated => Error::ConnectionTerminated,
            _ => Error::HttpProtocolError,
        };
    }
    if let Some(io) = find::<io::Error>(error) {
        return match io.kind() {
            io::ErrorKind::UnexpectedEof => Error::HttpResponseIncomplete,
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Error::HttpProtocolError,
            _ => Error::ConnectionTerminated,
        };
    }
    if error.is_closed() || error.is_canceled() || error.is_body_write_aborted() {
        return Error::ConnectionTerminated;
    }
    Error::HttpProtocolError
}
