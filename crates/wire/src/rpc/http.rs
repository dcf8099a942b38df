//! `wrpc:http@0.1.0`: how `wasi:http` travels (wire reference §4.6). Methods, schemes and errors are those of
//! `wasi:http/types@0.2.0`.
//!
//! Bodies and trailers come beside: the body of a request on [`REQUEST_BODY`] as chunks of
//! [bytes](super::stream::ByteStream), its trailers on [`REQUEST_TRAILERS`] as [`Trailers`]; those of a response on
//! [`RESPONSE_BODY`] and [`RESPONSE_TRAILERS`] of the results.

use super::macros::{call, record, variant};
use super::path::IndexPath;
use super::stream::{FutureOf, StreamOf};

/// The interface that takes requests from outside.
pub const INCOMING_HANDLER: &str = "wrpc:http/incoming-handler@0.1.0";
/// The interface that sends requests to others.
pub const OUTGOING_HANDLER: &str = "wrpc:http/outgoing-handler@0.1.0";

/// Where in the parameters the body is.
pub const REQUEST_BODY: IndexPath = IndexPath::of([0, 0]);
/// Where in the parameters the trailers are.
pub const REQUEST_TRAILERS: IndexPath = IndexPath::of([0, 1]);
/// Where in the results the body is.
pub const RESPONSE_BODY: IndexPath = IndexPath::of([0, 0]);
/// Where in the results the trailers are.
pub const RESPONSE_TRAILERS: IndexPath = IndexPath::of([0, 1]);

/// Headers or trailers: names, each with all its values. Neither need be what HTTP allows; who makes requests of them
/// finds out.
pub type Fields = Vec<(String, Vec<Vec<u8>>)>;

/// What the future of trailers carries: none, or some.
pub type Trailers = Option<Fields>;

/// What `handle` returns.
pub type HandleResult = Result<Response, ErrorCode>;

variant! {
    /// The method of a request.
    #[expect(missing_docs, reason = "they are called what they are")]
    Method {
        Get = "get",
        Head = "head",
        Post = "post",
        Put = "put",
        Delete = "delete",
        Connect = "connect",
        Options = "options",
        Trace = "trace",
        Patch = "patch",
        Other(String) = "other",
    }
}

variant! {
    /// The scheme of a request.
    #[expect(missing_docs, reason = "they are called what they are")]
    Scheme {
        Http = "HTTP",
        Https = "HTTPS",
        Other(String) = "other",
    }
}

record! {
    /// A request, with its body and trailers pending.
    Request {
        /// The body, `stream<u8>`.
        body: StreamOf<u8> = "body",
        /// The trailers, `future<option<fields>>`.
        trailers: FutureOf<Trailers> = "trailers",
        /// The method.
        method: Method = "method",
        /// The path and the query, `/a?b=c`.
        path_with_query: Option<String> = "path-with-query",
        /// The scheme.
        scheme: Option<Scheme> = "scheme",
        /// The host and port.
        authority: Option<String> = "authority",
        /// The headers.
        headers: Fields = "headers",
    }
}

record! {
    /// A response, with its body and trailers pending.
    Response {
        /// The body, `stream<u8>`.
        body: StreamOf<u8> = "body",
        /// The trailers, `future<option<fields>>`.
        trailers: FutureOf<Trailers> = "trailers",
        /// The status, as a number. Any number: who makes a response of it finds out.
        status: u16 = "status",
        /// The headers.
        headers: Fields = "headers",
    }
}

record! {
    /// How long the caller waits, in nanoseconds each.
    RequestOptions {
        /// For a connection.
        connect_timeout: Option<u64> = "connect-timeout",
        /// For the first byte of the response.
        first_byte_timeout: Option<u64> = "first-byte-timeout",
        /// For any byte after another.
        between_bytes_timeout: Option<u64> = "between-bytes-timeout",
    }
}

call! {
    /// A request from outside, for a component.
    IncomingHandle {
        /// The request.
        request: Request = "request",
    } = "handle" @ INCOMING_HANDLER => HandleResult,
    params at [REQUEST_BODY, REQUEST_TRAILERS],
    results at [RESPONSE_BODY, RESPONSE_TRAILERS]
}

call! {
    /// A request of a component, for somebody outside.
    OutgoingHandle {
        /// The request.
        request: Request = "request",
        /// How long the component waits.
        options: Option<RequestOptions> = "options",
    } = "handle" @ OUTGOING_HANDLER => HandleResult,
    params at [REQUEST_BODY, REQUEST_TRAILERS],
    results at [RESPONSE_BODY, RESPONSE_TRAILERS]
}

record! {
    /// What a name server said.
    DnsErrorPayload {
        /// Its answer code, as text.
        rcode: Option<String> = "rcode",
        /// Its extended error.
        info_code: Option<u16> = "info-code",
    }
}

record! {
    /// What the other side of a TLS connection said.
    TlsAlertReceivedPayload {
        /// The number of the alert. One byte, not a LEB128 integer.
        alert_id: Option<Byte> = "alert-id",
        /// The alert in words.
        alert_message: Option<String> = "alert-message",
    }
}

record! {
    /// Which header or trailer was too large.
    FieldSizePayload {
        /// Its name.
        field_name: Option<String> = "field-name",
        /// Its size in bytes.
        field_size: Option<u32> = "field-size",
    }
}

/// `u8`; a type of its own so that a list of them is read as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Byte(pub u8);

impl super::Payload for Byte {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.0);
    }

    fn decode(from: &mut crate::value::Decoder<'_>) -> Result<Self, crate::value::DecodeError> {
        from.u8().map(Self)
    }
}

variant! {
    /// Why there is no response: `wasi:http/types.error-code`.
    #[expect(missing_docs, reason = "they are called what they are")]
    ErrorCode {
        DnsTimeout = "DNS-timeout",
        DnsError(DnsErrorPayload) = "DNS-error",
        DestinationNotFound = "destination-not-found",
        DestinationUnavailable = "destination-unavailable",
        DestinationIpProhibited = "destination-IP-prohibited",
        DestinationIpUnroutable = "destination-IP-unroutable",
        ConnectionRefused = "connection-refused",
        ConnectionTerminated = "connection-terminated",
        ConnectionTimeout = "connection-timeout",
        ConnectionReadTimeout = "connection-read-timeout",
        ConnectionWriteTimeout = "connection-write-timeout",
        ConnectionLimitReached = "connection-limit-reached",
        TlsProtocolError = "TLS-protocol-error",
        TlsCertificateError = "TLS-certificate-error",
        TlsAlertReceived(TlsAlertReceivedPayload) = "TLS-alert-received",
        HttpRequestDenied = "HTTP-request-denied",
        HttpRequestLengthRequired = "HTTP-request-length-required",
        HttpRequestBodySize(Option<u64>) = "HTTP-request-body-size",
        HttpRequestMethodInvalid = "HTTP-request-method-invalid",
        HttpRequestUriInvalid = "HTTP-request-URI-invalid",
        HttpRequestUriTooLong = "HTTP-request-URI-too-long",
        HttpRequestHeaderSectionSize(Option<u32>) = "HTTP-request-header-section-size",
        HttpRequestHeaderSize(Option<FieldSizePayload>) = "HTTP-request-header-size",
        HttpRequestTrailerSectionSize(Option<u32>) = "HTTP-request-trailer-section-size",
        HttpRequestTrailerSize(FieldSizePayload) = "HTTP-request-trailer-size",
        HttpResponseIncomplete = "HTTP-response-incomplete",
        HttpResponseHeaderSectionSize(Option<u32>) = "HTTP-response-header-section-size",
        HttpResponseHeaderSize(FieldSizePayload) = "HTTP-response-header-size",
        HttpResponseBodySize(Option<u64>) = "HTTP-response-body-size",
        HttpResponseTrailerSectionSize(Option<u32>) = "HTTP-response-trailer-section-size",
        HttpResponseTrailerSize(FieldSizePayload) = "HTTP-response-trailer-size",
        HttpResponseTransferCoding(Option<String>) = "HTTP-response-transfer-coding",
        HttpResponseContentCoding(Option<String>) = "HTTP-response-content-coding",
        HttpResponseTimeout = "HTTP-response-timeout",
        HttpUpgradeFailed = "HTTP-upgrade-failed",
        HttpProtocolError = "HTTP-protocol-error",
        LoopDetected = "loop-detected",
        ConfigurationError = "configuration-error",
        InternalError(Option<String>) = "internal-error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::{Call, Payload};

    #[test]
    fn cases_have_the_numbers_of_wit() {
        assert_eq!(ErrorCode::CASES.len(), 39);
        assert_eq!(ErrorCode::DnsTimeout.to_bytes(), [0]);
        assert_eq!(
            ErrorCode::HttpRequestBodySize(Some(300)).to_bytes(),
            [17, 1, 0xac, 0x02]
        );
        assert_eq!(ErrorCode::HttpRequestHeaderSize(None).to_bytes(), [22, 0]);
        assert_eq!(
            ErrorCode::InternalError(Some("x".to_owned())).to_bytes(),
            [38, 1, 1, b'x']
        );
        assert_eq!(Method::Patch.to_bytes(), [8]);
        assert_eq!(
            Method::from_bytes(&[9, 1, b'X']),
            Ok(Method::Other("X".to_owned()))
        );
        assert_eq!(Scheme::Https.to_bytes(), [1]);
        // 200 as `u8` is one byte; as an integer of more bits it would be two.
        let alert = ErrorCode::TlsAlertReceived(TlsAlertReceivedPayload {
            alert_id: Some(Byte(200)),
            alert_message: None,
        });
        assert_eq!(alert.to_bytes(), [14, 1, 200, 0]);
        for (number, name) in (0_u8..).zip(ErrorCode::CASES) {
            let bytes = [number, 0, 0, 0];
            let code = ErrorCode::decode(&mut crate::value::Decoder::new(&bytes)).unwrap();
            assert_eq!(code.case(), *name);
        }
    }

    #[test]
    fn errors_name_the_part() {
        let request = Request {
            body: StreamOf::Pending,
            trailers: FutureOf::Pending,
            method: Method::Get,
            path_with_query: None,
            scheme: None,
            authority: None,
            headers: vec![("a".to_owned(), vec![b"b".to_vec()])],
        };
        let mut bytes = IncomingHandle { request }.to_bytes();
        bytes[2] = 10;
        assert_eq!(
            IncomingHandle::from_bytes(&bytes).unwrap_err().to_string(),
            "request.method: there is no case 10, there are 10"
        );
        assert_eq!(<OutgoingHandle as Call>::INSTANCE, OUTGOING_HANDLER);
    }
}
