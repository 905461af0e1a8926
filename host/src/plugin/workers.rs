//! The threads that call plugins: a fixed number, so that a slow plugin never stalls
//! sockets, and a bounded queue before them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use tokio::sync::{Semaphore, oneshot};

use super::PluginError;

/// Stack of a worker, in bytes: several times what wasm may use of it, because an
/// overflow of the native stack would end the process.
pub(super) const STACK: usize = 4 << 20;

/// Work for a worker. It answers its caller itself.
pub type Job = Box<dyn FnOnce() + Send>;

/// The threads and their queue. They end when this is dropped and the queue is empty.
#[derive(Debug)]
pub struct Workers {
    jobs: Sender<Queued>,
    /// One permit for each place in the queue, so that a full one is waited for
    /// without blocking a thread.
    places: Arc<Semaphore>,
    count: usize,
}

struct Queued {
    job: Job,
    place: tokio::sync::OwnedSemaphorePermit,
}

/// A job that did not end: it panicked, or the workers are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a plugin worker lost its job")]
pub struct JobLost;

impl Workers {
    /// Starts `count` threads (at least one) with `queue` places (at least one).
    pub fn start(count: usize, queue: usize) -> Result<Self, PluginError> {
        let (count, queue) = (count.max(1), queue.max(1));
        let (jobs, inbox) = bounded(queue);
        for i in 0..count {
            let inbox = inbox.clone();
            std::thread::Builder::new()
                .name(format!("plugin-{i}"))
                .stack_size(STACK)
                .spawn(move || work(&inbox))
                .map_err(|error| PluginError::Engine(format!("no thread for plugins: {error}")))?;
        }
        Ok(Self { jobs, places: Arc::new(Semaphore::new(queue)), count })
    }

    /// How many threads there are.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Queues a job, waiting for a place.
    pub async fn submit(&self, job: Job) -> Result<(), JobLost> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| JobLost)?;
        self.jobs.try_send(Queued { job, place }).map_err(|_| JobLost)
    }

    /// Runs `job` on a worker and returns what it returns.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JobLost> {
        let (reply, answer) = oneshot::channel();
        // A caller who went away needs no answer.
        self.submit(Box::new(move || drop(reply.send(job())))).await?;
        answer.await.map_err(|_| JobLost)
    }
}

fn work(inbox: &Receiver<Queued>) {
    for Queued { job, place } in inbox {
        drop(place);
        // A panic in a host function is a bug, and must not cost a thread as well.
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a plugin worker's job panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_that_panics_costs_no_worker() {
        let workers = Workers::start(1, 1).unwrap();
        for _ in 0..3 {
            assert_eq!(workers.run(|| panic!("a bug")).await, Err::<(), _>(JobLost));
        }
        assert_eq!(workers.run(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn a_full_queue_is_waited_for() {
        let workers = Arc::new(Workers::start(1, 1).unwrap());
        let (go, gate) = bounded::<()>(0);
        let (began, started) = bounded::<()>(1);
        let first = Box::new(move || {
            began.send(()).unwrap();
            gate.recv().unwrap();
        });
        workers.submit(first).await.unwrap();
        started.recv().unwrap();
        workers.submit(Box::new(|| {})).await.unwrap();
        let third = {
            let workers = Arc::clone(&workers);
            tokio::spawn(async move { workers.run(|| 3).await })
        };
        tokio::task::yield_now().await;
        assert!(!third.is_finished());
        go.send(()).unwrap();
        assert_eq!(third.await.unwrap(), Ok(3));
    }
}
