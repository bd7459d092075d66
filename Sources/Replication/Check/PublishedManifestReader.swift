package import Manifests
package import ReplicationModel

/// The rows of a verified manifest, as a check reads them: from the first key to the last, holding one page.
package actor PublishedManifestReader: LedgerReader {
    private let head: PublishedHead
    private let folder: ManifestFolder
    private var pages: PublishedRows
    private var held: ArraySlice<LedgerRow> = []
    /// The last key that was given out.
    private var last: ObjectKey?

    package init(_ verified: ManifestVerifier.Verified, in folder: ManifestFolder) {
        head = verified.head
        self.folder = folder
        pages = PublishedRows(head, in: folder)
    }

    package func rows(after key: ObjectKey?, limit: Int) async throws(LedgerError) -> [LedgerRow] {
        if key != last {
            pages = PublishedRows(head, in: folder, after: key)
            held = []
        }
        var found: [LedgerRow] = []
        while found.count < limit {
            if held.isEmpty {
                guard let page = try await nextPage() else { break }
                held = page[...]
            }
            let count = min(limit - found.count, held.count)
            found += held.prefix(count)
            held = held.dropFirst(count)
        }
        last = found.last?.key ?? key
        return found
    }

    package func row(for key: ObjectKey) async throws(LedgerError) -> LedgerRow? {
        do { return try await folder.row(for: key, of: head) } catch { throw failure(error) }
    }

    private func nextPage() async throws(LedgerError) -> [LedgerRow]? {
        do {
            var rest = pages
            let page = try await rest.nextPage()
            pages = rest
            return page
        } catch {
            throw failure(error)
        }
    }

    private func failure(_ error: any Error) -> LedgerError {
        LedgerError(error is ManifestError ? .damaged : .failed, path: folder.name, message: "\(error)")
    }
}
