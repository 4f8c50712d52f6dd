//! Hands the socket that people reach from one process to the next, so that no connection is refused while one follows the other.
//!
//! Each process that serves offers its listening socket in a folder, over a Unix socket of its own there; whoever starts takes the
//! socket of its address from any of them, and binds it itself only if nobody offers it. Both then hold one and the same queue of
//! connections: what the old one does not take, the new one does. Processes of other users get nothing, and offer nothing.

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

/// How long another process may take to hand it over; it does nothing but that.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where this process offers its socket; nothing is left there when this is dropped.
#[derive(Debug)]
pub(crate) struct Offer(PathBuf);

impl Drop for Offer {
    fn drop(&mut self) {
        // Whoever finds it later sees that nobody is there, and removes it.
        let _ = fs::remove_file(&self.0);
    }
}

/// The socket that listens at `address`, if a process offers it in `folder`; at any port of that address, for port 0.
///
/// # Errors
/// When the folder cannot be made, or when others may write to it.
pub(crate) fn take(folder: &Path, address: SocketAddr) -> io::Result<Option<TcpListener>> {
    ensure(folder)?;
    let mut offers: Vec<PathBuf> =
        fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    offers.retain(|path| path.extension().is_some_and(|extension| extension == "sock"));
    for offer in offers {
        match take_from(&offer) {
            Ok(Some(listener)) => {
                let theirs = listener.local_addr()?;
                if theirs.ip() == address.ip() && (address.port() == 0 || theirs.port() == address.port()) {
                    return Ok(Some(listener));
                }
            }
            Ok(None) => (),
            // Its process has died.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                let _ = fs::remove_file(&offer);
            }
            Err(error) => tracing::warn!("Nothing was handed over by {}: {error}", offer.display()),
        }
    }
    Ok(None)
}

fn take_from(offer: &Path) -> io::Result<Option<TcpListener>> {
    let stream = UnixStream::connect(offer)?;
    stream.set_read_timeout(Some(PATIENCE))?;
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
/// When nothing can be offered there.
pub(crate) fn offer(folder: &Path, listener: &TcpListener, ending: CancellationToken) -> io::Result<Offer> {
    ensure(folder)?;
    let path = folder.join(format!("{}.sock", std::process::id()));
    // Left by a process that had the same number.
    let _ = fs::remove_file(&path);
    let door = tokio::net::UnixListener::bind(&path)?;
    private_files::own_file(&path)?;
    let offer = Offer(path);
    let listener = listener.try_clone()?;
    tokio::spawn(async move {
        loop {
            let stream = tokio::select! {
                accepted = door.accept() => accepted,
                () = ending.cancelled() => return,
            };
            let Ok((stream, _)) = stream else {
                tokio::time::sleep(PATIENCE).await;
                continue;
            };
            let ours = stream.peer_cred().is_ok_and(|them| them.uid() == geteuid().as_raw());
            if !ours {
                tracing::warn!("A process of another user asked for the socket, and did not get it");
                continue;
            }
            match hand(&stream, &listener) {
                Ok(()) => tracing::info!("The socket was handed to another process; both hold it now"),
                Err(error) => tracing::warn!("The socket could not be handed over: {error}"),
            }
        }
    });
    Ok(offer)
}

fn hand(stream: &tokio::net::UnixStream, listener: &TcpListener) -> io::Result<()> {
    let sockets = [listener.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&sockets)) {
        return Err(io::Error::other("there is no room for it"));
    }
    // A message that carries a socket needs a byte of its own; an empty new connection has room for one.
    sendmsg(stream, &[io::IoSlice::new(b"1")], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The folder is there, and nobody else can offer anything in it.
fn ensure(folder: &Path) -> io::Result<()> {
    private_files::create_folder(folder)?;
    let seen = fs::metadata(folder)?;
    if seen.uid() != geteuid().as_raw() || seen.permissions().mode() & 0o022 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it must belong to the user who serves, and nobody else may write to it (chmod 700)",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_goes_from_hand_to_hand_and_loses_nobody() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let folder = folder.path().join("handed");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        assert!(take(&folder, any).expect("nothing").is_none());
        let first = TcpListener::bind(any).expect("a socket");
        first.set_nonblocking(true).expect("set");
        let address = first.local_addr().expect("an address");
        let ending = CancellationToken::new();
        let offered = offer(&folder, &first, ending.clone()).expect("offered");

        let place = folder.clone();
        let second = tokio::task::spawn_blocking(move || take(&place, address)).await.expect("ran");
        let second = second.expect("taken").expect("a socket");
        assert_eq!(second.local_addr().expect("an address"), address);
        // Who came while the first one was there is answered by the second one.
        let caller = std::net::TcpStream::connect(address).expect("connected");
        drop(first);
        ending.cancel();
        let (_, peer) = second.accept().expect("the caller");
        assert_eq!(peer, caller.local_addr().expect("an address"));

        let place = folder.clone();
        let elsewhere = SocketAddr::from(([127, 0, 0, 2], 0));
        let none = tokio::task::spawn_blocking(move || take(&place, elsewhere)).await.expect("ran");
        assert!(none.expect("nothing").is_none());
        drop(offered);
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0);
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_refused() {
        let folder = tempfile::TempDir::new().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("set");
        let refused = take(folder.path(), SocketAddr::from(([127, 0, 0, 1], 0)));
        assert_eq!(refused.map(|_| ()).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn what_a_dead_process_left_is_removed() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let left = folder.path().join("1.sock");
        drop(std::os::unix::net::UnixListener::bind(&left).expect("a socket"));
        assert!(take(folder.path(), SocketAddr::from(([127, 0, 0, 1], 0))).expect("nothing").is_none());
        assert!(!left.exists());
    }
}
