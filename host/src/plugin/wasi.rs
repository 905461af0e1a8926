//! WASI preview 2 with nothing granted, so that plain `wasm32-wasip2` builds load.
//!
//! It is wasmtime-wasi, but for what waits, what tells the time and what is random.
//! A host function is not interrupted by an epoch, so that a guest that sleeps or
//! polls in wasmtime-wasi would hold its thread for as long as it likes. Here a wait
//! is spent from the call's deadline, and one that cannot end within it is a trap at
//! once. No asynchronous runtime is needed for that: all that a guest can wait for
//! are timers of this file and streams that are always ready.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::p2::bindings::{clocks, io, random, sync};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, DynPollable, Pollable, StreamError, StreamResult, subscribe,
};
use wasmtime_wasi::{ResourceTable, runtime::poll_noop};

use super::guest::Guest;
use super::limits::{HANDLES, RANDOM_BYTES};
use super::meter::Cut;
use crate::clock::Clock;

/// Links all of WASI, and what this file does differently over it.
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_sync(linker)?;
    linker.allow_shadowing(true);
    sync::io::poll::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    sync::io::streams::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    clocks::monotonic_clock::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    clocks::wall_clock::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    random::random::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    random::insecure::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    random::insecure_seed::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// When the next timer fires that a poll found pending, in nanoseconds of the
/// monotonic clock; `u64::MAX`: none.
#[derive(Clone, Debug)]
pub(super) struct Timers(Arc<AtomicU64>);

impl Default for Timers {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }
}

struct Timer {
    at: u64,
    clock: Clock,
    timers: Timers,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Timer {
    async fn ready(&mut self) {
        std::future::poll_fn(|_| {
            if nanos(&self.clock) >= self.at {
                return Poll::Ready(());
            }
            self.timers.0.fetch_min(self.at, Ordering::Relaxed);
            Poll::Pending
        })
        .await;
    }
}

/// Monotonic nanoseconds.
pub(super) fn nanos(clock: &Clock) -> u64 {
    u64::try_from(clock.monotonic().as_nanos()).unwrap_or(u64::MAX)
}

impl Guest {
    /// Waits for the timer that the last poll left pending.
    fn wait(&mut self) -> Result<(), Cut> {
        let next = self.timers.0.swap(u64::MAX, Ordering::Relaxed);
        let time = (next != u64::MAX).then(|| next.saturating_sub(nanos(&self.shared.clock)));
        self.meter.wait(time.map(Duration::from_nanos))
    }

    fn timer(&mut self, at: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let timer = Timer { at, clock: self.shared.clock.clone(), timers: self.timers.clone() };
        let timer = self.table.push(timer)?;
        subscribe(&mut self.table, timer)
    }

    /// What wasmtime-wasi makes of an operation on a stream that is ready; one on a
    /// stream that is not would wait for ever, for nothing here becomes ready later.
    fn now<T>(
        &mut self,
        operation: impl AsyncFnOnce(&mut ResourceTable) -> StreamResult<T>,
    ) -> StreamResult<T> {
        match poll_noop(pin!(operation(&mut self.table))) {
            Some(result) => result,
            None => Err(StreamError::Trap(self.meter.wait(None).err().map_or_else(never, Into::into))),
        }
    }
}

fn never() -> wasmtime::Error {
    wasmtime::format_err!("waits for what never comes")
}

impl sync::io::poll::Host for Guest {
    fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        if pollables.len() > HANDLES {
            wasmtime::bail!("polls {} things at once, and the limit is {HANDLES}", pollables.len());
        }
        loop {
            let again = pollables.iter().map(|p| Resource::new_borrow(p.rep())).collect();
            if let Some(ready) = poll_noop(pin!(io::poll::Host::poll(&mut self.table, again))) {
                return ready;
            }
            self.wait()?;
        }
    }
}

impl sync::io::poll::HostPollable for Guest {
    fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        let ready = poll_noop(pin!(io::poll::HostPollable::ready(&mut self.table, pollable)));
        self.timers.0.store(u64::MAX, Ordering::Relaxed);
        ready.unwrap_or(Ok(false))
    }

    fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        loop {
            let again = Resource::new_borrow(pollable.rep());
            if let Some(done) = poll_noop(pin!(io::poll::HostPollable::block(&mut self.table, again))) {
                return done;
            }
            self.wait()?;
        }
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        io::poll::HostPollable::drop(&mut self.table, pollable)
    }
}

impl sync::io::streams::Host for Guest {
    fn convert_stream_error(
        &mut self,
        error: StreamError,
    ) -> wasmtime::Result<sync::io::streams::StreamError> {
        sync::io::streams::Host::convert_stream_error(&mut self.table, error)
    }
}

impl sync::io::streams::HostInputStream for Guest {
    fn read(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<Vec<u8>> {
        io::streams::HostInputStream::read(&mut self.table, stream, len)
    }

    fn blocking_read(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<Vec<u8>> {
        self.now(async |table| io::streams::HostInputStream::blocking_read(table, stream, len).await)
    }

    fn skip(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        io::streams::HostInputStream::skip(&mut self.table, stream, len)
    }

    fn blocking_skip(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        self.now(async |table| io::streams::HostInputStream::blocking_skip(table, stream, len).await)
    }

    fn subscribe(&mut self, stream: Resource<DynInputStream>) -> wasmtime::Result<Resource<DynPollable>> {
        io::streams::HostInputStream::subscribe(&mut self.table, stream)
    }

    fn drop(&mut self, stream: Resource<DynInputStream>) -> wasmtime::Result<()> {
        self.table.delete(stream)?;
        Ok(())
    }
}

impl sync::io::streams::HostOutputStream for Guest {
    fn check_write(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<u64> {
        io::streams::HostOutputStream::check_write(&mut self.table, stream)
    }

    fn write(&mut self, stream: Resource<DynOutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        self.receive(bytes.len()).map_err(|flood| StreamError::Trap(flood.into()))?;
        io::streams::HostOutputStream::write(&mut self.table, stream, bytes)
    }

    fn blocking_write_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        bytes: Vec<u8>,
    ) -> StreamResult<()> {
        self.receive(bytes.len()).map_err(|flood| StreamError::Trap(flood.into()))?;
        self.now(async |table| {
            io::streams::HostOutputStream::blocking_write_and_flush(table, stream, bytes).await
        })
    }

    fn flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        io::streams::HostOutputStream::flush(&mut self.table, stream)
    }

    fn blocking_flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        self.now(async |table| io::streams::HostOutputStream::blocking_flush(table, stream).await)
    }

    fn subscribe(&mut self, stream: Resource<DynOutputStream>) -> wasmtime::Result<Resource<DynPollable>> {
        io::streams::HostOutputStream::subscribe(&mut self.table, stream)
    }

    fn write_zeroes(&mut self, stream: Resource<DynOutputStream>, len: u64) -> StreamResult<()> {
        io::streams::HostOutputStream::write_zeroes(&mut self.table, stream, len)
    }

    fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        len: u64,
    ) -> StreamResult<()> {
        self.now(async |table| {
            io::streams::HostOutputStream::blocking_write_zeroes_and_flush(table, stream, len).await
        })
    }

    fn splice(
        &mut self,
        to: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        io::streams::HostOutputStream::splice(&mut self.table, to, from, len)
    }

    fn blocking_splice(
        &mut self,
        to: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        self.now(async |table| io::streams::HostOutputStream::blocking_splice(table, to, from, len).await)
    }

    fn drop(&mut self, stream: Resource<DynOutputStream>) -> wasmtime::Result<()> {
        self.table.delete(stream)?;
        Ok(())
    }
}

impl clocks::monotonic_clock::Host for Guest {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(nanos(&self.shared.clock))
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.timer(when)
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.timer(nanos(&self.shared.clock).saturating_add(duration))
    }
}

impl clocks::wall_clock::Host for Guest {
    fn now(&mut self) -> wasmtime::Result<clocks::wall_clock::Datetime> {
        let since = Duration::from_millis(u64::try_from(self.shared.clock.now().0).unwrap_or(0));
        Ok(clocks::wall_clock::Datetime { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() })
    }

    fn resolution(&mut self) -> wasmtime::Result<clocks::wall_clock::Datetime> {
        Ok(clocks::wall_clock::Datetime { seconds: 0, nanoseconds: 1_000_000 })
    }
}

impl Guest {
    /// Unpredictable bytes; asking for too many at once is a trap.
    pub(super) fn random_bytes(&self, len: u64) -> wasmtime::Result<Vec<u8>> {
        if len > RANDOM_BYTES {
            wasmtime::bail!("asked for {len} random bytes at once, and the limit is {RANDOM_BYTES}");
        }
        let mut bytes = vec![0; usize::try_from(len)?];
        self.shared.random.fill(&mut bytes);
        Ok(bytes)
    }

    /// Sixty-four unpredictable bits.
    #[expect(clippy::cast_possible_truncation, reason = "half of them is what is asked for")]
    pub(super) fn random_u64(&self) -> u64 {
        self.shared.random.bits() as u64
    }
}

impl random::random::Host for Guest {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(len)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random_u64())
    }
}

impl random::insecure::Host for Guest {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(len)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random_u64())
    }
}

impl random::insecure_seed::Host for Guest {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        Ok((self.random_u64(), self.random_u64()))
    }
}
