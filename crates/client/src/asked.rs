//! Words: what a request asks for, and what hosts say, fit for a line that a person reads.

use std::borrow::Cow;

use wasmcloud_wire::control::Request;

/// What a request asks for, in words that go on after "cannot" and before a colon. Hosts are left out: those who
/// answer, or do not, are named beside it.
pub(crate) fn asked(request: &Request) -> String {
    match request {
        Request::PingHosts => "list the hosts".to_owned(),
        Request::GetInventory(_) => "read the inventory".to_owned(),
        Request::StopHost(..) => "stop the host".to_owned(),
        Request::PutLabel(_, label) => format!("set label `{}`", label.key),
        Request::DeleteLabel(_, label) => format!("remove label `{}`", label.key),
        Request::AuctionComponent(auction) => {
            format!("ask who could run component `{}`", auction.component_id)
        }
        Request::ScaleComponent(_, scale) if scale.count == 0 => {
            format!("stop component `{}`", scale.component_id)
        }
        // One request starts and scales.
        Request::ScaleComponent(_, scale) => format!("run component `{}`", scale.component_id),
        Request::UpdateComponent(_, update) => format!("update component `{}`", update.component_id),
        Request::AuctionProvider(auction) => format!("ask who could run provider `{}`", auction.provider_id),
        Request::StartProvider(_, start) => format!("start provider `{}`", start.provider_id),
        Request::StopProvider(_, stop) => format!("stop provider `{}`", stop.provider_id),
        Request::GetLinks => "list the links".to_owned(),
        Request::PutLink(link) => format!("link `{}` to `{}`", link.source_id, link.target),
        Request::DeleteLink(link) => format!("remove link `{}` of `{}`", link.name, link.source_id),
        Request::GetClaims => "list the claims".to_owned(),
        Request::GetConfig(name) => format!("read config `{name}`"),
        Request::PutConfig(name, _) => format!("put config `{name}`"),
        Request::DeleteConfig(name) => format!("delete config `{name}`"),
        Request::PutRegistries(_) => "hand out credentials of registries".to_owned(),
    }
}

/// Text of somebody else without what a terminal would obey: control characters become `U+FFFD`, apart from line
/// breaks and tabs.
pub fn printable(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let shown = text.chars().map(|c| match obeyed(c) {
        true => char::REPLACEMENT_CHARACTER,
        false => c,
    });
    Cow::Owned(shown.collect())
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn terminals_are_told_nothing() {
        assert_eq!(printable("a\tb\nc é"), "a\tb\nc é");
        assert_eq!(
            printable("\x1b[2Jgone\u{9b}\r"),
            "\u{fffd}[2Jgone\u{fffd}\u{fffd}"
        );
    }
}
