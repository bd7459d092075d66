import ObjectStores
import ReplicationModel

extension StoreConformance {
    static let completionChecks: [ConformanceCheck] = [
        ConformanceCheck(
            "a create-only upload makes the object where none is", needs: [.multipart, .conditionalCompletion]
        ) { context in
            let content = TestContent(context.partSize + 100, seed: 160)
            let receipt = try await context.upload(content, at: context.key("object"), condition: .absent)
            try await context.expectObject(context.key("object"), holds: content, version: receipt.version)
        },
        ConformanceCheck("a create-only upload replaces nothing", needs: [.multipart, .conditionalCompletion]) {
            context in
            let key = context.key("object")
            let old = TestContent(100, seed: 161)
            let version = try await context.put(old, at: key).version
            try await context.expectFailure(.preconditionFailed, of: "a create-only upload over an object") {
                try await context.upload(TestContent(context.partSize + 100, seed: 162), at: key, condition: .absent)
            }
            try await context.expectObject(key, holds: old, version: version)
        },
        ConformanceCheck(
            "an object that appears during a create-only upload stays", needs: [.multipart, .conditionalCompletion]
        ) {
            context in
            let key = context.key("object")
            let content = TestContent(context.partSize + 100, seed: 163)
            let session = try await context.begin(key, size: content.count, condition: .absent)
            let receipts = try await context.sendParts(content.parts(of: context.partSize), of: session)
            let foreign = TestContent(100, seed: 164)
            let version = try await context.put(foreign, at: key).version
            // Azure gives up the blocks of an upload when another writer puts the blob.
            try await context.expectFailure(
                .preconditionFailed, .missingUpload, of: "completing over an object that appeared"
            ) {
                try await context.complete(session, receipts, digest: content.digest, condition: .absent)
            }
            try await context.expectObject(key, holds: foreign, version: version)
        },
        ConformanceCheck("an upload that names the version replaces it", needs: [.multipart, .conditionalCompletion]) {
            context in
            let key = context.key("object")
            let version = try await context.put(TestContent(100, seed: 165), at: key).version
            let content = TestContent(context.partSize + 100, seed: 166)
            let receipt = try await context.upload(content, at: key, condition: .matches(version))
            try await context.expectObject(key, holds: content, version: receipt.version)
        },
        ConformanceCheck(
            "an upload that names another version replaces nothing", needs: [.multipart, .conditionalCompletion]
        ) { context in
            let key = context.key("object")
            let old = try await context.put(TestContent(100, seed: 167), at: key).version
            let current = TestContent(100, seed: 168)
            let version = try await context.put(current, at: key).version
            try await context.expectFailure(.preconditionFailed, of: "an upload that names the version before") {
                try await context.upload(
                    TestContent(context.partSize + 100, seed: 169), at: key, condition: .matches(old))
            }
            try await context.expectObject(key, holds: current, version: version)
        },
        ConformanceCheck(
            "an upload that names a deleted version makes nothing", needs: [.multipart, .conditionalCompletion]
        ) { context in
            let key = context.key("object")
            let gone = try await context.put(TestContent(100, seed: 170), at: key).version
            try await context.delete(key)
            try await context.expectFailure(.preconditionFailed, of: "an upload that names a deleted version") {
                try await context.upload(
                    TestContent(context.partSize + 100, seed: 171), at: key, condition: .matches(gone))
            }
            try await context.expectAbsent(key)
        },
        ConformanceCheck("completing twice leaves the object as it is", needs: [.multipart, .conditionalCompletion]) {
            context in
            let key = context.key("object")
            let content = TestContent(context.partSize + 100, seed: 172)
            let session = try await context.begin(key, size: content.count, condition: .absent)
            let receipts = try await context.sendParts(content.parts(of: context.partSize), of: session)
            let first = try await context.complete(session, receipts, digest: content.digest, condition: .absent)
            do {
                // Some services answer the same again; that is as good.
                let second = try await context.complete(session, receipts, digest: content.digest, condition: .absent)
                try context.expectEqual(second.version, first.version, "the version of the second completion")
            } catch let error as StoreError {
                let known = error.code == .missingUpload || error.code == .preconditionFailed
                try context.expect(known, "missingUpload or preconditionFailed", "\(error)")
            }
            try await context.expectObject(key, holds: content, version: first.version)
        },
        ConformanceCheck("an upload that lacks a part does not complete", needs: [.multipart]) { context in
            let content = TestContent(2 * context.partSize + 100, seed: 173)
            let parts = content.parts(of: context.partSize)
            let session = try await context.begin(context.key("object"), size: content.count)
            let sent = [
                try await context.sendPart(parts[0], number: 1, of: session),
                try await context.sendPart(parts[1], number: 2, of: session),
            ]
            let invented = PartReceipt(number: 3, size: 100, tag: sent[1].tag, digest: parts[2].digest)
            do {
                let receipt = try await context.complete(session, sent + [invented], digest: content.digest)
                throw context.failure("an upload without its last part to fail", "success: \(receipt)")
            } catch is StoreError {
                try await context.expectAbsent(context.key("object"))
            }
        },
    ]
}
