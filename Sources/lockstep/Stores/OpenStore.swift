import Foundation
import ObjectStores
import ReplicationModel

/// A location that is ready for use: its store behind the decorators, and what identifies it.
struct OpenStore: Sendable {
    let location: ObjectLocation
    /// Rooted at the location; retries, throttles and counts.
    let store: any ObjectStore
    /// Every attempt is counted here.
    let meter: MeteredStore
    /// Location and endpoint: two locations with the same identity hold the same objects. Names the pair's ledger.
    let identity: String
    /// The service's address, to tell equal bucket names of two services apart.
    let endpoint: String
    /// What the store found out about its server, one sentence each.
    let learned: @Sendable () -> [String]
    /// The vault that the location leads into; nil for a plain one.
    var vault: OpenVault?

    /// What a key of the store with this identity is called here; nil when it is not below this location.
    func key(_ key: ObjectKey, ofStore identity: String) -> ObjectKey? {
        guard identity.hasSuffix("@" + endpoint) else { return nil }
        let text = String(identity.dropLast(endpoint.count + 1))
        let other: ObjectLocation
        do throws(LocationError) { other = try ObjectLocation(parsing: text, directory: "/") } catch { return nil }
        guard other.service == location.service, other.account == location.account, other.bucket == location.bucket
        else { return nil }
        let whole = other.prefix + key
        guard whole.hasPrefix(location.prefix) else { return nil }
        return ObjectKey(Array(whole.bytes.dropFirst(location.prefix.bytes.count)))
    }

    /// Whether a write at the one can change what is read at the other: of a vault everything below its location counts, and inside one
    /// vault the folders.
    func overlaps(_ other: OpenStore) -> Bool {
        guard endpoint == other.endpoint, lies.withoutLinks.overlaps(other.lies.withoutLinks) else { return false }
        guard let vault, let second = other.vault, vault.id == second.id else { return true }
        return vault.inner.hasPrefix(second.inner) || second.inner.hasPrefix(vault.inner)
    }

    /// Where the objects lie that this store is made of.
    private var lies: ObjectLocation { vault?.location.underlying ?? location }
}

extension ObjectLocation {
    /// A directory under its real path, as far as it exists: two paths to one directory overlap. Others as they are.
    fileprivate var withoutLinks: ObjectLocation {
        guard service == .file else { return self }
        var existing = URL(fileURLWithPath: bucket)
        var rest: [String] = []
        while existing.path != "/" {
            if let real = realpath(existing.path, nil) {
                defer { free(real) }
                existing = URL(fileURLWithPath: String(cString: real))
                break
            }
            rest.append(existing.lastPathComponent)
            existing.deleteLastPathComponent()
        }
        for name in rest.reversed() { existing.appendPathComponent(name) }
        return ObjectLocation(service: .file, bucket: existing.path)
    }
}
