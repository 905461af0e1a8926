//! A DNS server on loopback whose answers are scripted, and may change with each query.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

const HEADER_BYTES: usize = 12;
const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;

/// A server on a port of its own. Dropping it ends it.
#[derive(Debug)]
pub struct Dns {
    address: SocketAddr,
    asked: Arc<Mutex<HashMap<(String, u16), usize>>>,
    task: JoinHandle<()>,
}

/// What a name resolves to: the first list for the first query, and so on, and from the
/// start again; each as far as it is of the family that is asked for.
pub type Rounds = Vec<Vec<IpAddr>>;

impl Dns {
    /// Knows these names and no others.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start<const N: usize>(zone: [(&str, Rounds); N]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port on loopback");
        let address = socket.local_addr().expect("a bound socket has an address");
        let zone: HashMap<String, Rounds> = zone.map(|(name, rounds)| (name.to_owned(), rounds)).into();
        let asked = Arc::new(Mutex::new(HashMap::new()));
        let task = tokio::spawn(serve(socket, zone, Arc::clone(&asked)));
        Self { address, asked, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often the IPv4 addresses of a name were asked for.
    pub fn asked(&self, name: &str) -> usize {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.get(&(name.to_owned(), TYPE_A)).copied().unwrap_or(0)
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    socket: UdpSocket,
    zone: HashMap<String, Rounds>,
    asked: Arc<Mutex<HashMap<(String, u16), usize>>>,
) {
    let mut packet = [0; 1500];
    while let Ok((length, from)) = socket.recv_from(&mut packet).await {
        let query = &packet[..length];
        let Some((name, kind, end)) = question(query) else { continue };
        let round = {
            let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            let count = asked.entry((name.clone(), kind)).or_default();
            *count += 1;
            *count - 1
        };
        let found = zone.get(&name).map(|rounds| &rounds[round % rounds.len()][..]);
        let _: io::Result<usize> = socket.send_to(&answer(query, end, kind, found), from).await;
    }
}

/// The name that is asked for, the type of record, and where the question ends.
fn question(query: &[u8]) -> Option<(String, u16, usize)> {
    let mut labels = Vec::new();
    let mut at = HEADER_BYTES;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes([*query.get(at)?, *query.get(at + 1)?]);
    Some((labels.join("."), kind, at + 4))
}

/// `found`: `None`: no such name.
fn answer(query: &[u8], question_end: usize, kind: u16, found: Option<&[IpAddr]>) -> Vec<u8> {
    let of_kind = |address: &&IpAddr| match address {
        IpAddr::V4(_) => kind == TYPE_A,
        IpAddr::V6(_) => kind == TYPE_AAAA,
    };
    let records: Vec<_> = found.unwrap_or_default().iter().filter(of_kind).collect();
    let no_such_name = u8::from(found.is_none()) * 3;
    let count = u8::try_from(records.len()).expect("few addresses");
    let mut packet = query[..2].to_vec();
    // A response to a recursive query; one question, the records, nothing else.
    packet.extend([0x81, 0x80 | no_such_name, 0, 1, 0, count, 0, 0, 0, 0]);
    packet.extend(&query[HEADER_BYTES..question_end]);
    for address in records {
        // The name of the question, its type, the internet, and no time to live.
        packet.extend([0xc0, 12]);
        packet.extend(kind.to_be_bytes());
        packet.extend([0, 1, 0, 0, 0, 0]);
        match address {
            IpAddr::V4(v4) => packet.extend([&[0, 4][..], &v4.octets()].concat()),
            IpAddr::V6(v6) => packet.extend([&[0, 16][..], &v6.octets()].concat()),
        }
    }
    packet
}
