import Foundation

/// Policies as text that people read, or as one JSON object.
struct PolicyOutput {
    let console: Console

    func write(_ entry: PolicyEntry) {
        let policy = entry.policy
        console.data("# \(entry.name.rawValue) \(entry.place)")
        for document in policy.documents {
            console.data("# \(document.kind)")
            console.data(document.json)
        }
        for note in policy.notes { console.data("# \(note)") }
        console.data("")
    }

    func writeDocuments(_ policy: Policy) {
        for document in policy.documents { console.data(document.json) }
    }

    func writeJSON(_ entries: [PolicyEntry]) throws {
        var root: [String: Any] = ["schema": "lockstep.policy/1"]
        for entry in entries {
            let policy = entry.policy
            root[entry.name.rawValue] = [
                "location": entry.place, "cloud": policy.cloud, "notes": policy.notes,
                "documents": try policy.documents.map { document in
                    [
                        "kind": document.kind,
                        "content": try JSONSerialization.jsonObject(with: Data(document.json.utf8)),
                    ]
                },
            ]
        }
        let data = try JSONSerialization.data(withJSONObject: root, options: [.sortedKeys, .withoutEscapingSlashes])
        console.data(String(decoding: data, as: UTF8.self))
    }
}
