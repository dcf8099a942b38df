//! What a subject may look like.
//!
//! A subject is one or more tokens with dots between. In a subscription a token may be `*`, which stands for any one
//! token, and the last one may be `>`, which stands for one or more. The parser has excluded white space already.

/// Most tokens of a subscription. nats-server has no such limit; ours bounds how deep the tree of interest gets.
pub const MAX_TOKENS: usize = 128;

/// Whether somebody may subscribe to it.
pub fn is_subscribable(subject: &[u8]) -> bool {
    let mut open_end = false;
    let mut count = 0;
    for token in tokens(subject) {
        if token.is_empty() || open_end {
            return false;
        }
        open_end = token == b">";
        count += 1;
    }
    count <= MAX_TOKENS
}

/// Whether a message may be sent to it: no empty tokens, no wildcards.
pub fn is_publishable(subject: &[u8]) -> bool {
    tokens(subject).all(|token| !token.is_empty() && token != b"*" && token != b">")
}

/// The parts between the dots; an empty subject is one empty token.
pub(crate) fn tokens(subject: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    subject.split(|byte| *byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(subject: &str, subscribable: bool, publishable: bool) {
        let subject = subject.as_bytes();
        assert_eq!(
            (is_subscribable(subject), is_publishable(subject)),
            (subscribable, publishable),
            "{}",
            subject.escape_ascii()
        );
    }

    #[test]
    fn wildcards_are_for_subscriptions_and_empty_tokens_for_nobody() {
        check("a", true, true);
        check("a.b.c", true, true);
        check("$KV.a.b", true, true);
        check("ä.b", true, true);
        check("a*.b>", true, true);
        check("*", true, false);
        check("a.*.c", true, false);
        check("a.>", true, false);
        check(">", true, false);
        for wrong in ["", ".", "a.", ".a", "a..b", "..."] {
            check(wrong, false, false);
        }
        check(">.a", false, false);
        check("a.>.>", false, false);
    }

    #[test]
    fn depth_is_limited() {
        check(&vec!["a"; MAX_TOKENS].join("."), true, true);
        check(&vec!["a"; MAX_TOKENS + 1].join("."), false, true);
    }
}
