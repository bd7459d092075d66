import Cryptography
import Digests
import Foundation
import Testing
import Vault

struct LocalStateTests {
    private let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
        "lockstep-\(Hex.encode(SecureRandom.bytes(8)))"
    ).path
    private let repository = [UInt8](0..<32)
    private let hash = String(repeating: "ab", count: 32)

    private var folder: String { "\(directory)/vaults/0001020304050607" }

    private func withState(_ body: (FileVaultState) throws -> Void) throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try body(FileVaultState(state: directory, repository: repository))
    }

    @Test func remembersTheNewestRoot() throws {
        try withState { state in
            #expect(try state.rememberedRoot() == nil)
            try state.remember(RememberedRoot(sequence: 7, hash: hash))
            try state.remember(RememberedRoot(sequence: 6, hash: hash))
            let again = try FileVaultState(state: directory, repository: repository)
            #expect(try again.rememberedRoot() == RememberedRoot(sequence: 7, hash: hash))
            try again.remember(RememberedRoot(sequence: 8, hash: hash))
            #expect(try state.rememberedRoot()?.sequence == 8)
            let other = try FileVaultState(state: directory, repository: Array(1...32))
            #expect(try other.rememberedRoot() == nil)
        }
    }

    @Test func onlyItsOwnerReads() throws {
        try withState { state in
            try state.remember(RememberedRoot(sequence: 7, hash: hash))
            let session = SessionName(base: 7, random: Array(1...8))
            try state.noteSession(session)
            func mode(_ path: String) throws -> Int? {
                try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            }
            for path in [directory, "\(directory)/vaults", folder, "\(folder)/index", "\(folder)/sessions"] {
                #expect(try mode(path) == 0o700)
            }
            for path in ["\(folder)/root", "\(folder)/lock", "\(folder)/sessions/\(session)"] {
                #expect(try mode(path) == 0o600)
            }
            // No temporary file is left.
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
                    == ["index", "lock", "root", "sessions"])
            #expect(state.cacheDirectory == "\(folder)/index")
            #expect(state.forgetting == "delete \(folder)/root")
        }
    }

    @Test func notesSessions() throws {
        try withState { state in
            let sessions = (1...3).map { SessionName(base: UInt64($0), random: Array(1...8)) }
            for session in sessions.reversed() { try state.noteSession(session) }
            try state.noteSession(sessions[0])
            #expect(try state.openSessions() == sessions)
            try state.forgetSession(sessions[1])
            try state.forgetSession(sessions[1])
            let again = try FileVaultState(state: directory, repository: repository)
            #expect(try again.openSessions() == [sessions[0], sessions[2]])
        }
    }

    @Test(arguments: [
        "", "{", "{\"sequence\":7}", "{\"sequence\":7,\"hash\":\"ab\"}", "{\"sequence\":-1,\"hash\":\"\"}",
    ])
    func damagedFile(_ content: String) throws {
        try withState { state in
            try Data(content.utf8).write(to: URL(fileURLWithPath: "\(folder)/root"))
            for call: () throws -> Void in [
                { _ = try state.rememberedRoot() },
                { try state.remember(RememberedRoot(sequence: 9, hash: hash)) },
            ] {
                let error = #expect(throws: VaultError.self) { try call() }
                #expect(error?.code == .local)
                #expect(error?.message.contains("\(folder)/root is damaged") == true)
                #expect(error?.message.contains("delete the file") == true)
            }
        }
    }

    @Test func directoriesThatCannotBeUsed() throws {
        try withState { state in
            try FileManager.default.removeItem(atPath: "\(folder)/sessions")
            try FileManager.default.removeItem(atPath: "\(folder)/index")
            let session = SessionName(base: 1, random: Array(1...8))
            try FileManager.default.createDirectory(atPath: "\(folder)/root/x", withIntermediateDirectories: true)
            for call: () throws -> Void in [
                { _ = try state.openSessions() }, { try state.noteSession(session) },
                { _ = try state.rememberedRoot() },
            ] {
                let error = #expect(throws: VaultError.self) { try call() }
                #expect(error?.code == .local)
            }
            try FileManager.default.removeItem(atPath: folder)
            try Data().write(to: URL(fileURLWithPath: folder))
            for call: () throws -> Void in [
                { _ = try FileVaultState(state: folder, repository: repository) },
                { _ = try FileVaultState(state: directory, repository: repository) },
                { try state.remember(RememberedRoot(sequence: 1, hash: hash)) },
                { try state.forgetSession(session) },
            ] {
                let error = #expect(throws: VaultError.self) { try call() }
                #expect(error?.code == .local)
            }
        }
    }

    @Test func inMemory() {
        let state = MemoryVaultState(cacheDirectory: "/cache")
        #expect(state.rememberedRoot() == nil)
        state.remember(RememberedRoot(sequence: 3, hash: hash))
        state.remember(RememberedRoot(sequence: 2, hash: hash))
        #expect(state.rememberedRoot()?.sequence == 3)
        let session = SessionName(base: 1, random: Array(1...8))
        state.noteSession(session)
        #expect(state.openSessions() == [session])
        state.forgetSession(session)
        #expect(state.openSessions().isEmpty)
        #expect(state.cacheDirectory == "/cache")
    }
}
