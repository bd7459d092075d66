#if canImport(Glibc)
    import Glibc
#endif

/// What the memory allocator is told so that storing large bodies costs few page faults.
///
/// Without it most of the server's CPU time of an upload is the kernel's, mapping and zeroing pages. Huge pages are not
/// asked for: on virtual machines the kernel takes them from memory the host has not backed yet, which costs more.
package enum SlabMemory {
    /// Process-wide: freed slabs stay with the process and are used again. For the executable; a library does not
    /// change its host's allocator.
    package static func keepFreedMemory() {
        #if canImport(Glibc)
            // <malloc.h> is not among the headers that the Glibc module has.
            typealias Mallopt = @convention(c) (Int32, Int32) -> Int32
            guard let symbol = dlsym(nil, "mallopt") else { return }
            let mallopt = unsafeBitCast(symbol, to: Mallopt.self)
            let (trimThreshold, topPad, mmapThreshold, arenaMaximum): (Int32, Int32, Int32, Int32) = (-1, -2, -3, -8)
            // Refusals cost speed only. One arena, so that slabs lie side by side in one heap that never shrinks.
            _ = mallopt(arenaMaximum, 1)
            _ = mallopt(mmapThreshold, 32 << 20)
            _ = mallopt(trimThreshold, Int32.max)
            _ = mallopt(topPad, 64 << 20)
        #endif
    }
}
