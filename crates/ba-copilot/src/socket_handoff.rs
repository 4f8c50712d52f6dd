//! Passes the public listening socket from one process to the next, so that no connection is refused during a
//! deployment.
//!
//! Each serving process offers its listening socket through a Unix socket in a shared folder. A new process takes the
//! socket of its address from there, and binds the address itself only if no process offers it. Both processes then
//! accept from the same queue of connections. Processes of other users are excluded.

use std::{
    fs, io,
    mem::MaybeUninit,
    net::{SocketAddr, TcpListener},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            fs::{MetadataExt, PermissionsExt},
            net::UnixStream,
        },
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, recvmsg, sendmsg,
    },
    process::geteuid,
};
use tokio_util::sync::CancellationToken;

use application::private_files;

const TIMEOUT: Duration = Duration::from_secs(2);

/// The Unix socket through which this process offers its listening socket. Deleted when dropped.
#[derive(Debug)]
pub(crate) struct Offer(PathBuf);

impl Drop for Offer {
    fn drop(&mut self) {
        // If this fails, the next process finds that it is not connected, and deletes it.
        let _ = fs::remove_file(&self.0);
    }
}

/// Takes the socket of `address` from a process that offers it in `folder`; with port 0, of any port.
///
/// # Errors
/// When the folder cannot be created, or other users can write to it.
pub(crate) fn take(folder: &Path, address: SocketAddr) -> io::Result<Option<TcpListener>> {
    ensure_folder(folder)?;
    let mut offers: Vec<PathBuf> =
        fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    offers.retain(|path| path.extension().is_some_and(|extension| extension == "sock"));
    for offer in offers {
        match take_from(&offer) {
            Ok(Some(listener)) => {
                let offered = listener.local_addr()?;
                if offered.ip() == address.ip() && (address.port() == 0 || offered.port() == address.port()) {
                    return Ok(Some(listener));
                }
            }
            Ok(None) => (),
            // Left by a process that was killed.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                let _ = fs::remove_file(&offer);
            }
            Err(error) => tracing::warn!("No socket was received from {}: {error}", offer.display()),
        }
    }
    Ok(None)
}

fn take_from(offer: &Path) -> io::Result<Option<TcpListener>> {
    let stream = UnixStream::connect(offer)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut word = [0; 1];
    loop {
        let mut parts = [io::IoSliceMut::new(&mut word)];
        match recvmsg(&stream, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Ok(_) => break,
            Err(Errno::INTR) => (),
            Err(error) => return Err(error.into()),
        }
    }
    let mut sockets = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
        _ => None,
    });
    let listener: Option<OwnedFd> = sockets.next();
    listener
        .map(|socket| {
            let listener = TcpListener::from(socket);
            listener.set_nonblocking(true)?;
            Ok(listener)
        })
        .transpose()
}

/// Offers `listener` in `folder` to processes of the same user, until `ending`.
///
/// # Errors
/// When the folder or the Unix socket cannot be created.
pub(crate) fn offer(folder: &Path, listener: &TcpListener, ending: CancellationToken) -> io::Result<Offer> {
    ensure_folder(folder)?;
    let path = folder.join(format!("{}.sock", std::process::id()));
    // Left by a process with the same id.
    let _ = fs::remove_file(&path);
    let server = tokio::net::UnixListener::bind(&path)?;
    private_files::own_file(&path)?;
    let offer = Offer(path);
    let listener = listener.try_clone()?;
    tokio::spawn(async move {
        loop {
            let stream = tokio::select! {
                accepted = server.accept() => accepted,
                () = ending.cancelled() => return,
            };
            let Ok((stream, _)) = stream else {
                tokio::time::sleep(TIMEOUT).await;
                continue;
            };
            let is_same_user = stream.peer_cred().is_ok_and(|peer| peer.uid() == geteuid().as_raw());
            if !is_same_user {
                tracing::warn!("A process of another user asked for the listening socket and was refused");
                continue;
            }
            match send(&stream, &listener) {
                Ok(()) => tracing::info!(
                    "The listening socket was passed to another process; both accept connections"
                ),
                Err(error) => tracing::warn!("The listening socket could not be passed: {error}"),
            }
        }
    });
    Ok(offer)
}

fn send(stream: &tokio::net::UnixStream, listener: &TcpListener) -> io::Result<()> {
    let sockets = [listener.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&sockets)) {
        return Err(io::Error::other("there is no room for it"));
    }
    // A message with a descriptor needs at least one byte; a new connection has room for it.
    sendmsg(stream, &[io::IoSlice::new(b"1")], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Creates the folder, and checks that other users cannot offer a socket in it.
fn ensure_folder(folder: &Path) -> io::Result<()> {
    private_files::create_folder(folder)?;
    let metadata = fs::metadata(folder)?;
    if metadata.uid() != geteuid().as_raw() || metadata.permissions().mode() & 0o022 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it must belong to the user of the server, and other users must not be able to write to it (chmod 700)",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn socket_and_waiting_connections_move_to_the_next_process() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let folder = folder.path().join("handed");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        assert!(take(&folder, any).expect("nothing").is_none());
        let first = TcpListener::bind(any).expect("a socket");
        first.set_nonblocking(true).expect("set");
        let address = first.local_addr().expect("an address");
        let ending = CancellationToken::new();
        let offered = offer(&folder, &first, ending.clone()).expect("offered");

        let shared = folder.clone();
        let second = tokio::task::spawn_blocking(move || take(&shared, address)).await.expect("ran");
        let second = second.expect("taken").expect("a socket");
        assert_eq!(second.local_addr().expect("an address"), address);
        // A connection made before the first process ends is accepted by the second one.
        let caller = std::net::TcpStream::connect(address).expect("connected");
        drop(first);
        ending.cancel();
        let (_, peer) = second.accept().expect("the caller");
        assert_eq!(peer, caller.local_addr().expect("an address"));

        let shared = folder.clone();
        let other_address = SocketAddr::from(([127, 0, 0, 2], 0));
        let none = tokio::task::spawn_blocking(move || take(&shared, other_address)).await.expect("ran");
        assert!(none.expect("nothing").is_none());
        drop(offered);
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0);
    }

    #[test]
    fn folder_writable_by_others_is_refused() {
        let folder = tempfile::TempDir::new().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("set");
        let refused = take(folder.path(), SocketAddr::from(([127, 0, 0, 1], 0)));
        assert_eq!(refused.map(|_| ()).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn socket_of_a_killed_process_is_deleted() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let left = folder.path().join("1.sock");
        drop(std::os::unix::net::UnixListener::bind(&left).expect("a socket"));
        assert!(take(folder.path(), SocketAddr::from(([127, 0, 0, 1], 0))).expect("nothing").is_none());
        assert!(!left.exists());
    }
}
