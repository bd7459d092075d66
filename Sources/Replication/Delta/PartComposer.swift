package import Digests
package import Manifests
package import ReplicationModel

/// Makes parts of segments: runs that the target holds in one piece become copies, everything else is sent.
///
/// A store takes no part below a minimum but the last. A held run that turns out too short is sent after all, and what is sent takes as
/// much of what follows as it needs. An upload that is continued gets its parts where it had them, whatever the ledger holds now.
/// A value that does no I/O.
package struct PartComposer: Sendable {
    package struct Part: Sendable, Hashable {
        /// From 1.
        package var number: Int
        package var offset: Int64
        package var digest: ContentDigest
        /// Where the target holds these bytes; nil when they must be sent.
        package var origin: Origin?

        package var end: Int64 { offset + digest.length }
    }

    /// A place in an object of the target.
    package struct Origin: Sendable, Hashable {
        package var key: ObjectKey
        package var version: VersionToken
        package var offset: Int64
    }

    /// Bytes of every part but the last, at least.
    private let minimum: Int64
    /// What is sent is ended at so many bytes; copies may be longer.
    private let target: Int64
    /// Ends of the parts that the upload has already, by number.
    private let present: [Int: ClosedRange<Int64>]
    private var open: Part?
    /// What lies behind a copy that is long enough, and is too short for one of its own so far: where the run ends before it is long
    /// enough, the copy takes it too, because sending it would be the alternative.
    private var rest = ContentDigest()
    private var number = 0

    package init(minimum: Int64, target: Int64, present: [Int: RecordedPart] = [:]) {
        precondition(0 < minimum && minimum <= target, "a part that is large enough can be ended")
        self.minimum = minimum
        self.target = target
        self.present = present.mapValues { $0.offset...($0.offset + $0.digest.length) }
    }

    /// Whether the segment that begins at `offset` belongs to a part that the upload has already, so that nobody need look for it.
    package func isPresent(at offset: Int64) -> Bool {
        guard let range = present[open?.number ?? number + 1] else { return false }
        return range.lowerBound == open?.offset ?? offset && offset < range.upperBound
    }

    /// Takes the next segment; returns the parts that end before it or with it.
    /// - Parameter held: where the target holds it.
    package mutating func add(_ segment: ContentSegment, held: SegmentLocation?) -> [Part] {
        var ended: [Part] = []
        if let part = open, ends(part, before: segment, held) { ended.append(close(part)) }
        var part = open ?? begin(segment, held)
        if let origin = part.origin, !continues(origin, part.digest.length, held) { part.origin = nil }
        if part.origin != nil, border(of: part) == nil, part.digest.length >= target {
            rest = rest.appending(segment.digest)
            if rest.length >= minimum {
                ended.append(part)
                part = successor(of: part)
            }
        } else {
            part.digest = part.digest.appending(segment.digest)
        }
        open = part
        if isWhole(part) { ended.append(close(part)) }
        return ended
    }

    /// The last part, of any length.
    package mutating func finish() -> Part? {
        open.map { close($0) }
    }

    private mutating func begin(_ segment: ContentSegment, _ held: SegmentLocation?) -> Part {
        number += 1
        let origin = held.map { Origin(key: $0.key, version: $0.version, offset: $0.segment.offset) }
        return Part(number: number, offset: segment.offset, digest: ContentDigest(), origin: origin)
    }

    /// The copy that goes on where one ends that is long enough.
    private mutating func successor(of part: Part) -> Part {
        number += 1
        var next = Part(number: number, offset: part.end, digest: rest, origin: part.origin)
        next.origin!.offset += part.digest.length
        rest = ContentDigest()
        return next
    }

    private mutating func close(_ part: Part) -> Part {
        var part = part
        part.digest = part.digest.appending(rest)
        rest = ContentDigest()
        open = nil
        return part
    }

    /// Whether a part that could be ended should be: the next segment is held where it is not, or the other way round, or does not
    /// fit into the part that the upload has in its place.
    private func ends(_ part: Part, before segment: ContentSegment, _ held: SegmentLocation?) -> Bool {
        guard part.digest.length >= minimum else { return false }
        if let border = border(of: part) { return part.end + segment.digest.length > border }
        guard let origin = part.origin else { return held != nil }
        return !continues(origin, part.digest.length, held)
    }

    private func isWhole(_ part: Part) -> Bool {
        if let border = border(of: part) { return part.end == border }
        return part.origin == nil && part.digest.length >= target
    }

    /// Where the part ends that the upload has in this one's place, unless this one is longer already.
    private func border(of part: Part) -> Int64? {
        guard let range = present[part.number], range.lowerBound == part.offset, part.end <= range.upperBound else {
            return nil
        }
        return range.upperBound
    }

    private func continues(_ origin: Origin, _ length: Int64, _ held: SegmentLocation?) -> Bool {
        guard let held else { return false }
        return held.key == origin.key && held.version == origin.version
            && held.segment.offset == origin.offset + length + rest.length
    }
}
