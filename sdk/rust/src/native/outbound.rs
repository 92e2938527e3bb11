//! Services outside, as a test sets them: an answer for each URL. All others are denied.

use crate::outbound::{Error, Request, Response, Url};
use std::{cell::RefCell, collections::BTreeMap};

/// The services of this thread, and what they were asked.
#[derive(Debug, Default)]
struct Outside {
    answers: BTreeMap<String, Result<Response, Error>>,
    requests: Vec<Request>,
}

thread_local! {
    static OUTSIDE: RefCell<Outside> = RefCell::default();
}

pub(super) fn reset() {
    OUTSIDE.take();
}

/// Has every request to the URL answered, until another answer is set.
pub fn respond(url: &str, response: Response) {
    OUTSIDE.with_borrow_mut(|outside| outside.answers.insert(url.to_owned(), Ok(response)));
}

/// Has every request to the URL fail.
pub fn fail(url: &str, error: Error) {
    OUTSIDE.with_borrow_mut(|outside| outside.answers.insert(url.to_owned(), Err(error)));
}

/// The requests that were sent since the last call.
pub fn take_requests() -> Vec<Request> {
    OUTSIDE.with_borrow_mut(|outside| std::mem::take(&mut outside.requests))
}

pub(crate) fn send(request: &Request, _url: &Url<'_>) -> Result<Response, Error> {
    OUTSIDE.with_borrow_mut(|outside| {
        outside.requests.push(request.clone());
        match outside.answers.get(&request.url) {
            Some(Ok(response)) if response.body.len() > request.limit => Err(Error::TooLarge),
            Some(answer) => answer.clone(),
            None => Err(Error::Denied(request.url.clone())),
        }
    })
}
