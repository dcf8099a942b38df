//! Logs in one place: the subscriber, the component log lines, JSON or text.
