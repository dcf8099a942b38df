//! Errors of requests in the words of the wire and in those of wasmtime.

use wasmcloud_wire::rpc::http::{self as wire, ErrorCode};
use wasmtime_wasi_http::Error;

/// The same error in the words of wasmtime.
pub(super) fn into_error(code: ErrorCode) -> Error {
    let size = |payload: wire::FieldSizePayload| (payload.field_name, payload.field_size);
    match code {
        ErrorCode::DnsTimeout => Error::DnsTimeout,
        ErrorCode::DnsError(payload) => Error::DnsError {
            rcode: payload.rcode,
            info_code: payload.info_code,
        },
        ErrorCode::DestinationNotFound => Error::DestinationNotFound,
        ErrorCode::DestinationUnavailable => Error::DestinationUnavailable,
        ErrorCode::DestinationIpProhibited => Error::DestinationIpProhibited,
        ErrorCode::DestinationIpUnroutable => Error::DestinationIpUnroutable,
        ErrorCode::ConnectionRefused => Error::ConnectionRefused,
        ErrorCode::ConnectionTerminated => Error::ConnectionTerminated,
        ErrorCode::ConnectionTimeout => Error::ConnectionTimeout,
        ErrorCode::ConnectionReadTimeout => Error::ConnectionReadTimeout,
        ErrorCode::ConnectionWriteTimeout => Error::ConnectionWriteTimeout,
        ErrorCode::ConnectionLimitReached => Error::ConnectionLimitReached,
        ErrorCode::TlsProtocolError => Error::TlsProtocolError,
        ErrorCode::TlsCertificateError => Error::TlsCertificateError,
        ErrorCode::TlsAlertReceived(payload) => Error::TlsAlertReceived {
            alert_id: payload.alert_id.map(|alert| alert.0),
            alert_message: payload.alert_message,
        },
        ErrorCode::HttpRequestDenied => Error::HttpRequestDenied,
        ErrorCode::HttpRequestLengthRequired => Error::HttpRequestLengthRequired,
        ErrorCode::HttpRequestBodySize(size) => Error::HttpRequestBodySize(size),
        ErrorCode::HttpRequestMethodInvalid => Error::HttpRequestMethodInvalid,
        ErrorCode::HttpRequestUriInvalid => Error::HttpRequestUriInvalid,
        ErrorCode::HttpRequestUriTooLong => Error::HttpRequestUriTooLong,
        ErrorCode::HttpRequestHeaderSectionSize(size) => Error::HttpRequestHeaderSectionSize(size),
        ErrorCode::HttpRequestHeaderSize(payload) => {
            let (field_name, field_size) = payload.map(size).unwrap_or_default();
            Error::HttpRequestHeaderSize {
                field_name,
                field_size,
            }
        }
        ErrorCode::HttpRequestTrailerSectionSize(size) => Error::HttpRequestTrailerSectionSize(size),
        ErrorCode::HttpRequestTrailerSize(payload) => {
            let (field_name, field_size) = size(payload);
            Error::HttpRequestTrailerSize {
                field_name,
                field_size,
            }
        }
        ErrorCode::HttpResponseIncomplete => Error::HttpResponseIncomplete,
        ErrorCode::HttpResponseHeaderSectionSize(size) => Error::HttpResponseHeaderSectionSize(size),
        ErrorCode::HttpResponseHeaderSize(payload) => {
            let (field_name, field_size) = size(payload);
            Error::HttpResponseHeaderSize {
                field_name,
                field_size,
            }
        }
        ErrorCode::HttpResponseBodySize(size) => Error::HttpResponseBodySize(size),
        ErrorCode::HttpResponseTrailerSectionSize(size) => Error::HttpResponseTrailerSectionSize(size),
        ErrorCode::HttpResponseTrailerSize(payload) => {
            let (field_name, field_size) = size(payload);
            Error::HttpResponseTrailerSize {
                field_name,
                field_size,
            }
        }
        ErrorCode::HttpResponseTransferCoding(coding) => Error::HttpResponseTransferCoding(coding),
        ErrorCode::HttpResponseContentCoding(coding) => Error::HttpResponseContentCoding(coding),
        ErrorCode::HttpResponseTimeout => Error::HttpResponseTimeout,
        ErrorCode::HttpUpgradeFailed => Error::HttpUpgradeFailed,
        ErrorCode::HttpProtocolError => Error::HttpProtocolError,
        ErrorCode::LoopDetected => Error::LoopDetected,
        ErrorCode::ConfigurationError => Error::ConfigurationError,
        ErrorCode::InternalError(reason) => Error::InternalError(reason),
    }
}

/// The same error in the words of the wire. What wasmtime has no case for on the wire becomes the nearest one.
pub(super) fn from_error(error: Error) -> ErrorCode {
    let size = |field_name, field_size| wire::FieldSizePayload {
        field_name,
        field_size,
    };
    match error {
        Error::DnsError { rcode, info_code } => {
            ErrorCode::DnsError(wire::DnsErrorPayload { rcode, info_code })
        }
        Error::TlsAlertReceived {
            alert_id,
            alert_message,
        } => ErrorCode::TlsAlertReceived(wire::TlsAlertReceivedPayload {
            alert_id: alert_id.map(wire::Byte),
            alert_message,
        }),
        Error::HttpRequestHeaderSize {
            field_name,
            field_size,
        } => ErrorCode::HttpRequestHeaderSize(Some(size(field_name, field_size))),
        Error::HttpRequestTrailerSize {
            field_name,
            field_size,
        } => ErrorCode::HttpRequestTrailerSize(size(field_name, field_size)),
        Error::HttpResponseHeaderSize {
            field_name,
            field_size,
        } => ErrorCode::HttpResponseHeaderSize(size(field_name, field_size)),
        Error::HttpResponseTrailerSize {
            field_name,
            field_size,
        } => ErrorCode::HttpResponseTrailerSize(size(field_name, field_size)),
        Error::HttpRequestBodySize(what) => ErrorCode::HttpRequestBodySize(what),
        Error::HttpRequestHeaderSectionSize(what) => ErrorCode::HttpRequestHeaderSectionSize(what),
        Error::HttpRequestTrailerSectionSize(what) => ErrorCode::HttpRequestTrailerSectionSize(what),
        Error::HttpResponseHeaderSectionSize(what) => ErrorCode::HttpResponseHeaderSectionSize(what),
        Error::HttpResponseBodySize(what) => ErrorCode::HttpResponseBodySize(what),
        Error::HttpResponseTrailerSectionSize(what) => ErrorCode::HttpResponseTrailerSectionSize(what),
        Error::HttpResponseTransferCoding(what) => ErrorCode::HttpResponseTransferCoding(what),
        Error::HttpResponseContentCoding(what) => ErrorCode::HttpResponseContentCoding(what),
        Error::InternalError(what) => ErrorCode::InternalError(what),
        Error::DnsTimeout => ErrorCode::DnsTimeout,
        Error::DestinationNotFound => ErrorCode::DestinationNotFound,
        Error::DestinationUnavailable => ErrorCode::DestinationUnavailable,
        Error::DestinationIpProhibited => ErrorCode::DestinationIpProhibited,
        Error::DestinationIpUnroutable => ErrorCode::DestinationIpUnroutable,
        Error::ConnectionRefused => ErrorCode::ConnectionRefused,
        Error::ConnectionTerminated => ErrorCode::ConnectionTerminated,
        Error::ConnectionTimeout => ErrorCode::ConnectionTimeout,
        Error::ConnectionReadTimeout => ErrorCode::ConnectionReadTimeout,
        Error::ConnectionWriteTimeout => ErrorCode::ConnectionWriteTimeout,
        Error::ConnectionLimitReached => ErrorCode::ConnectionLimitReached,
        Error::TlsProtocolError => ErrorCode::TlsProtocolError,
        Error::TlsCertificateError => ErrorCode::TlsCertificateError,
        Error::HttpRequestDenied => ErrorCode::HttpRequestDenied,
        Error::HttpRequestLengthRequired => ErrorCode::HttpRequestLengthRequired,
        Error::HttpRequestMethodInvalid => ErrorCode::HttpRequestMethodInvalid,
        Error::HttpRequestUriInvalid => ErrorCode::HttpRequestUriInvalid,
        Error::HttpRequestUriTooLong => ErrorCode::HttpRequestUriTooLong,
        Error::HttpResponseIncomplete => ErrorCode::HttpResponseIncomplete,
        Error::HttpResponseTimeout => ErrorCode::HttpResponseTimeout,
        Error::HttpUpgradeFailed => ErrorCode::HttpUpgradeFailed,
        Error::HttpProtocolError => ErrorCode::HttpProtocolError,
        Error::LoopDetected => ErrorCode::LoopDetected,
        Error::ConfigurationError => ErrorCode::ConfigurationError,
        other => ErrorCode::InternalError(Some(other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use wasmcloud_wire::rpc::Payload as _;
    use wasmcloud_wire::value::Decoder;

    use super::*;

    #[test]
    fn every_error_comes_back_as_it_was() {
        for number in (0_u8..).take(ErrorCode::CASES.len()) {
            let bytes = [number, 0, 0, 0];
            let code = ErrorCode::decode(&mut Decoder::new(&bytes)).unwrap();
            let back = from_error(into_error(code.clone()));
            match code {
                // No payload and an empty one are the same to wasmtime.
                ErrorCode::HttpRequestHeaderSize(None) => assert_eq!(back.case(), code.case()),
                code => assert_eq!(back, code),
            }
        }
    }
}
