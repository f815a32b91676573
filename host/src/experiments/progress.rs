use std::sync::atomic::{AtomicUsize, Ordering};

/// How far a run is, told to an observer. Threads of an experiment share it.
pub struct Progress {
    expected: AtomicUsize,
    done: AtomicUsize,
    observer: Box<Observer>,
}

type Observer = dyn Fn(Update<'_>) + Send + Sync;

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update<'a> {
    /// Units of work done.
    pub done: usize,
    /// Units of work known so far.
    pub expected: usize,
    /// What was just done or begun.
    pub message: &'a str,
}

impl Progress {
    /// Tells `observer` of every change.
    pub fn new(observer: impl Fn(Update<'_>) + Send + Sync + 'static) -> Self {
        Self { expected: AtomicUsize::new(0), done: AtomicUsize::new(0), observer: Box::new(observer) }
    }

    /// Tells nobody.
    pub fn silent() -> Self {
        Self::new(|_| ())
    }

    /// Announces more units of work.
    pub fn expect(&self, units: usize) {
        self.expected.fetch_add(units, Ordering::Relaxed);
        self.tell("");
    }

    /// One unit of work is done.
    pub fn advance(&self, message: &str) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.tell(message);
    }

    fn tell(&self, message: &str) {
        let (done, expected) = (self.done.load(Ordering::Relaxed), self.expected.load(Ordering::Relaxed));
        (self.observer)(Update { done, expected, message });
    }
}
