import CCurl
import Glibc

// What the library calls on a loop's thread. The context is the `CurlHandle`, which outlives its easy handle; none of these throws,
// waits or calls the library's multi interface.

private func handle(_ context: UnsafeMutableRawPointer?) -> CurlHandle {
    Unmanaged<CurlHandle>.fromOpaque(context!).takeUnretainedValue()
}

/// Any count other than the given one ends the request.
private let refused = 0

let receiveHeadLine: curl_write_callback = { bytes, size, count, context in
    let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
    guard let transfer = handle(context).transfer, transfer.receiveHeadLine(line) else { return refused }
    return line.count
}

let receiveBody: curl_write_callback = { bytes, size, count, context in
    let body = UnsafeRawBufferPointer(start: bytes, count: size * count)
    guard let transfer = handle(context).transfer, transfer.receiveBody(body) else { return refused }
    return body.count
}

let sendBody: curl_read_callback = { bytes, size, count, context in
    guard let transfer = handle(context).transfer else { return Int(CURL_READFUNC_ABORT) }
    return transfer.fillUpload(UnsafeMutableRawBufferPointer(start: bytes, count: size * count))
}

let rewindBody: curl_seek_callback = { context, offset, origin in
    guard let transfer = handle(context).transfer, offset == 0, origin == SEEK_SET else { return CURL_SEEKFUNC_FAIL }
    transfer.rewindUpload()
    return CURL_SEEKFUNC_OK
}

let beforeRequest: curl_prereq_callback = { context, _, _, _, _ in
    let handle = handle(context)
    let sentBefore = lockstep_easy_get_long(handle.easy, CURLINFO_REQUEST_SIZE) > 0
    let mayGoOn = handle.transfer?.willSend(sentBefore: sentBefore) ?? false
    return mayGoOn ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
}

let openSocket: curl_opensocket_callback = { context, _, address in
    let handle = handle(context)
    guard let address, handle.mayConnect(to: address) else { return CURL_SOCKET_BAD }
    // A child process must not keep a connection open.
    let type = address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue)
    let opened = socket(address.pointee.family, type, address.pointee.protocol)
    if opened < 0 {
        handle.transfer?.socketFailed(errno)
        return CURL_SOCKET_BAD
    }
    handle.poller.opened(opened)
    return opened
}

let closeSocket: curl_closesocket_callback = { context, socket in
    Unmanaged<SocketPoller>.fromOpaque(context!).takeUnretainedValue().closed(socket)
    return close(socket)
}
