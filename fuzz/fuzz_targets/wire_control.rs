//! The control interface: the first line is the subject behind the lattice, the rest the payload, which is also read
//! as every reply.

#![no_main]

use std::fmt::Debug;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wasmcloud_wire::Message;
use wasmcloud_wire::control::{
    ClaimsList, ComponentAuctionAck, CtlResponse, Host, HostInventory, Links, Nothing, ProviderAuctionAck,
    Request,
};
use wasmcloud_wire::message::MAX_TEXT;
use wasmcloud_wire::state::Config;
use wasmcloud_wire::subject::{ControlInterface, Topic};

static CONTROL: LazyLock<ControlInterface> =
    LazyLock::new(|| ControlInterface::new(&Topic::control(), &"default".parse().expect("it is a name")));

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |byte| *byte == b'\n');
    let rest = parts.next().unwrap_or_default();
    let payload = parts.next().unwrap_or_default();
    // A client of NATS hands out subjects as text only.
    let Ok(rest) = std::str::from_utf8(rest) else {
        return;
    };
    let subject = format!("wasmbus.ctl.v1.default.{rest}");
    match Request::parse(&CONTROL, &subject, payload) {
        Ok(request) => {
            assert_eq!(CONTROL.subject(&request.operation()), subject);
            let again = Request::parse(&CONTROL, &subject, &request.encode());
            assert_eq!(again.expect("what we write we read"), request);
        }
        Err(error) => {
            let reply = error.reply();
            assert!(!reply.success && reply.message.len() <= 2 * MAX_TEXT);
        }
    }
    // What comes for nothing is ignored, so it is not written again.
    let _ = CtlResponse::<Nothing>::decode(payload);
    again::<CtlResponse<Host>>(payload);
    again::<CtlResponse<HostInventory>>(payload);
    again::<CtlResponse<ComponentAuctionAck>>(payload);
    again::<CtlResponse<ProviderAuctionAck>>(payload);
    again::<CtlResponse<Links>>(payload);
    again::<CtlResponse<ClaimsList>>(payload);
    again::<CtlResponse<Config>>(payload);
});

fn again<T: Message + PartialEq + Debug>(payload: &[u8]) {
    if let Ok(value) = T::decode(payload) {
        assert_eq!(T::decode(&value.encode()).expect("what we write we read"), value);
    }
}
