//! What the policy service has answered, and the questions that it has not answered yet.
//!
//! Whoever asks what somebody asks already waits for the same answer.

use std::collections::{HashMap, VecDeque};

use tokio::sync::watch;
use wasmcloud_wire::policy::PolicyReply;

use super::PolicyError;

/// Answers that are remembered.
const REMEMBERED: usize = 10_000;
/// Questions that may be open at a time.
pub(super) const MAX_OPEN: usize = 256;
/// Those who may wait for the answer to one question.
pub(super) const MAX_WAITING: usize = 10_000;

/// What became of a question.
pub(super) type Outcome = Result<PolicyReply, PolicyError>;

/// Answers by what was asked, oldest first in `order`, and open questions.
#[derive(Default)]
pub(super) struct Known {
    replies: HashMap<String, PolicyReply>,
    order: VecDeque<String>,
    open: HashMap<String, Open>,
}

/// A question under way, or one that nothing came of a moment ago.
struct Open {
    request_id: String,
    /// The service may change its mind before its answer is here.
    changed: Option<PolicyReply>,
    told: watch::Sender<Option<Outcome>>,
}

/// What is known of a question.
pub(super) enum Look {
    /// The service said yes.
    Permitted,
    /// The service said no.
    Denied(PolicyReply),
    /// Somebody has asked it.
    Wait(watch::Receiver<Option<Outcome>>),
    /// Nobody has, so whoever looked has to, with this id.
    Ask(String, watch::Receiver<Option<Outcome>>),
}

impl Known {
    pub(super) fn look(&mut self, key: &str) -> Result<Look, PolicyError> {
        if let Some(reply) = self.replies.get(key) {
            return Ok(match reply.permitted {
                true => Look::Permitted,
                false => Look::Denied(reply.clone()),
            });
        }
        if let Some(open) = self.open.get(key) {
            return match open.told.receiver_count() < MAX_WAITING {
                true => Ok(Look::Wait(open.told.subscribe())),
                false => Err(PolicyError::Busy("too many wait for this answer of it")),
            };
        }
        if self.open.len() >= MAX_OPEN {
            return Err(PolicyError::Busy("it has too many questions to answer"));
        }
        let (told, outcome) = watch::channel(None);
        let request_id = uuid::Uuid::new_v4().to_string();
        let open = Open {
            request_id: request_id.clone(),
            changed: None,
            told,
        };
        self.open.insert(key.to_owned(), open);
        Ok(Look::Ask(request_id, outcome))
    }

    /// Tells all who wait. An answer ends the question; where there is none, whoever asks again until [`Known::close`]
    /// learns the same.
    pub(super) fn told(&mut self, key: &str, outcome: Outcome) {
        let Some(open) = self.open.get(key) else { return };
        // A change is later than the answer, whichever came first.
        let outcome = match &open.changed {
            Some(changed) => Ok(changed.clone()),
            None => outcome,
        };
        open.told.send_replace(Some(outcome.clone()));
        if let Ok(reply) = outcome {
            self.open.remove(key);
            self.put(key.to_owned(), reply);
        }
    }

    /// Forgets a question.
    pub(super) fn close(&mut self, key: &str) {
        if let Some(open) = self.open.remove(key)
            && let Some(changed) = open.changed
        {
            self.put(key.to_owned(), changed);
        }
    }

    /// The service has changed its mind.
    pub(super) fn change(&mut self, reply: &PolicyReply) {
        for known in self.replies.values_mut() {
            if known.request_id == reply.request_id {
                known.clone_from(reply);
            }
        }
        for open in self.open.values_mut() {
            if open.request_id == reply.request_id {
                open.changed = Some(reply.clone());
            }
        }
    }

    fn put(&mut self, key: String, reply: PolicyReply) {
        if self.replies.insert(key.clone(), reply).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.replies.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(request_id: &str, permitted: bool) -> PolicyReply {
        PolicyReply {
            request_id: request_id.to_owned(),
            permitted,
            message: None,
        }
    }

    fn ask(known: &mut Known, key: &str) -> String {
        match known.look(key).unwrap() {
            Look::Ask(id, _) => id,
            _ => panic!("somebody has asked `{key}`"),
        }
    }

    #[test]
    fn a_change_that_overtakes_the_answer_counts() {
        let mut known = Known::default();
        let id = ask(&mut known, "a");
        known.change(&reply(&id, false));
        known.told("a", Ok(reply(&id, true)));
        assert!(matches!(known.look("a").unwrap(), Look::Denied(_)));
        known.change(&reply(&id, true));
        assert!(matches!(known.look("a").unwrap(), Look::Permitted));
    }

    #[test]
    fn one_question_for_all_who_ask_the_same() {
        let mut known = Known::default();
        ask(&mut known, "a");
        let Look::Wait(outcome) = known.look("a").unwrap() else {
            panic!("asked twice")
        };
        known.told("a", Err(PolicyError::Busy("for the test")));
        assert!(matches!(&*outcome.borrow(), Some(Err(PolicyError::Busy(_)))));
        // Whoever comes a moment later learns the same, and nobody is asked.
        assert!(matches!(known.look("a").unwrap(), Look::Wait(late) if late.borrow().is_some()));
        known.close("a");
        ask(&mut known, "a");
    }

    #[test]
    fn what_may_be_open_is_limited() {
        let mut known = Known::default();
        for n in 0..MAX_OPEN {
            ask(&mut known, &n.to_string());
        }
        assert!(matches!(known.look("more"), Err(PolicyError::Busy(_))));
        known.told("0", Ok(reply("x", true)));
        ask(&mut known, "more");
        let waiting: Vec<_> = (0..MAX_WAITING).map(|_| known.look("1")).collect();
        assert!(matches!(known.look("1"), Err(PolicyError::Busy(_))));
        drop(waiting);
    }

    #[test]
    fn the_oldest_answers_are_forgotten() {
        let mut known = Known::default();
        for n in 0..=REMEMBERED {
            let key = n.to_string();
            let id = ask(&mut known, &key);
            known.told(&key, Ok(reply(&id, true)));
        }
        assert!(matches!(known.look("1").unwrap(), Look::Permitted));
        ask(&mut known, "0");
    }
}
