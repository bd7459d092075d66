import Foundation
import HTTPTransport
import Testing

/// Certificates are checked, always.
@Suite struct TLSTests {
    @Test func aCertificateOfAGivenAuthorityIsTrusted() async throws {
        let server = try TLSServer()
        let transport = CurlTransport.single(caFile: server.certificate)
        for _ in 0..<2 {
            let response = try await send(HTTPRequest(.get, server.url), over: transport).get()
            #expect(response.status == 200)
            #expect(!response.body.isEmpty)
        }
    }

    @Test func aSelfSignedCertificateIsRefused() async throws {
        let server = try TLSServer()
        let failure = try await failure(HTTPRequest(.put, server.url, body: .text("x")))
        #expect(failure.code == .certificate, "\(failure)")
        #expect(!failure.mayHaveBeenProcessed)
    }

    @Test func aCertificateOfAnotherAuthorityIsRefused() async throws {
        let server = try TLSServer()
        let other = try TLSServer()
        let failure = try await failure(HTTPRequest(.get, server.url), over: .single(caFile: other.certificate))
        #expect(failure.code == .certificate, "\(failure)")
    }

    @Test func aCertificateForAnotherNameIsRefused() async throws {
        let server = try TLSServer()
        let url = server.url.replacing("127.0.0.1", with: "localhost")
        let failure = try await failure(HTTPRequest(.get, url), over: .single(caFile: server.certificate))
        #expect(failure.code == .certificate, "\(failure)")
    }

    @Test func aServerWithoutTLSIsRefused() async throws {
        let server = try ScriptedServer { connection in
            try connection.write("HTTP/1.1 400 Bad Request\r\n\r\n")
            try connection.drain()
        }
        let failure = try await failure(HTTPRequest(.get, server.url.replacing("http:", with: "https:")))
        #expect(failure.code == .tls, "\(failure)")
        #expect(!failure.mayHaveBeenProcessed)
    }

    @Test func aMissingBundleIsNamed() async throws {
        let server = try TLSServer()
        let failure = try await failure(HTTPRequest(.get, server.url), over: .single(caFile: "/nowhere/ca.pem"))
        #expect(failure.code == .tls, "\(failure)")
        #expect(failure.message.contains("/nowhere/ca.pem"))
    }
}

/// `openssl s_server` with a certificate of its own for 127.0.0.1.
final class TLSServer {
    let certificate: String
    let url: String
    private let directory: URL
    private let process = Process()

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        certificate = directory.appending(path: "certificate.pem").path
        let key = directory.appending(path: "key.pem").path
        let generation = Process()
        generation.executableURL = URL(filePath: "/usr/bin/env")
        generation.arguments =
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
            + ["-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=test"]
            + ["-addext", "subjectAltName=IP:127.0.0.1"]
        generation.standardError = FileHandle.nullDevice
        try generation.run()
        generation.waitUntilExit()

        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments =
            ["openssl", "s_server", "-www", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key]
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        // It says "ACCEPT 127.0.0.1:PORT" when it is ready.
        var said = ""
        var port: Substring?
        while port == nil {
            let piece = output.fileHandleForReading.availableData
            guard !piece.isEmpty else { throw ScriptError.closed }
            said += String(decoding: piece, as: UTF8.self)
            let lines = said.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            port = lines.first { $0.hasPrefix("ACCEPT ") }?.split(separator: ":").last
        }
        url = "https://127.0.0.1:\(port!)/"
    }

    deinit {
        // Started from a thread that blocks the polite signals, and so does the child.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        // Only a leftover in the temporary folder when it fails.
        try? FileManager.default.removeItem(at: directory)
    }
}
