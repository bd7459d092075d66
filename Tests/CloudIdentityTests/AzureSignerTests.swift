import Azure
import Cryptography
import Digests
import HTTPTransport
import ReplicationModel
import Testing

/// Vectors computed independently or by the vendor's own client.
@Suite struct AzureSignerTests {
    static let key = Secret(Base64.decode("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")!)
    static let developmentKey = Secret(
        Base64.decode("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")!)

    @Test func putBlock() {
        let input = AzureSigner.Input(
            method: .put, account: "acct", path: "/cont/dir/a%20b.bin",
            query: ["blockid": "MDAwMDAx", "comp": "block"],
            headers: [
                "Content-Type": "application/octet-stream", "x-ms-version": "2023-11-03",
                "x-ms-content-crc64": "iJh5CoYUi64=",
                "x-ms-date": "Fri, 01 Jan 2027 00:00:00 GMT",
            ], contentLength: 1024)
        #expect(
            String(decoding: AzureSigner.stringToSign(input), as: UTF8.self)
                == "PUT\n\n\n1024\n\napplication/octet-stream\n\n\n\n\n\n\nx-ms-content-crc64:iJh5CoYUi64=\n"
                + "x-ms-date:Fri, 01 Jan 2027 00:00:00 GMT\nx-ms-version:2023-11-03\n/acct/cont/dir/a%20b.bin\n"
                + "blockid:MDAwMDAx\ncomp:block")
        #expect(
            AzureSigner.authorization(input, key: Self.key)
                == "SharedKey acct:S9jPqLvqo6ii52kcNQNESVeR9Uo75kfpY1bbl/JWH4Q=")
    }

    @Test func listAtAnEmulator() {
        let input = AzureSigner.Input(
            method: .get, account: "devstoreaccount1", path: "/devstoreaccount1/cont",
            query: ["comp": "list", "restype": "container"],
            headers: ["x-ms-date": "Fri, 01 Jan 2027 00:00:00 GMT", "x-ms-version": "2023-11-03"])
        #expect(
            AzureSigner.authorization(input, key: Self.developmentKey)
                == "SharedKey devstoreaccount1:/6lWelCQyPNhGp92nQcAXRW9xnZyBsAQ4RC1mVwCCvk=")
    }

    @Test func conditionsStandInTheirLines() {
        let input = AzureSigner.Input(
            method: .delete, account: "a", path: "/c/b", query: [:],
            headers: [
                "If-None-Match": "*", "If-Match": "\"e\"", "Range": "bytes=0-1", "Content-MD5": "m",
                "Content-Language": "l",
                "Content-Encoding": "e", "Date": "d", "If-Modified-Since": "i", "If-Unmodified-Since": "u",
                "accept": "ignored",
            ])
        #expect(
            String(decoding: AzureSigner.stringToSign(input), as: UTF8.self)
                == "DELETE\ne\nl\n\nm\n\nd\ni\n\"e\"\n*\nu\nbytes=0-1\n/a/c/b")
    }

    /// The order in which the vendor's client sorts them, which is not that of bytes.
    static let order = [
        "x-ms-blob-cache-control", "x-ms-blob-content-encoding", "x-ms-blob-content-type", "x-ms-blob-type",
        "x-ms-content-crc64",
        "x-ms-copy-source", "x-ms-date", "x-ms-meta-_", "x-ms-meta-_a", "x-ms-meta-_xb", "x-ms-meta-0", "x-ms-meta-01",
        "x-ms-meta-0a",
        "x-ms-meta-1aba", "x-ms-meta-a", "x-ms-meta-a_ab", "x-ms-meta-aa", "x-ms-meta-aba_", "x-ms-meta-b1x",
        "x-ms-range",
        "x-ms-range-get-content-crc64", "x-ms-requires-sync", "x-ms-source-content-crc64", "x-ms-source-if-match",
        "x-ms-source-range",
        "x-ms-version",
    ]

    @Test func headersAreSortedAsTheServiceSorts() {
        #expect(Self.order.shuffled().sorted(by: AzureSigner.precedes) == Self.order)
        #expect(AzureSigner.precedes("x-ms-meta-a_b", "x-ms-meta-a1"))
        #expect(!AzureSigner.precedes("x-ms-meta-a1", "x-ms-meta-a_b"))
    }

    @Test func serviceSignatureOfOneBlob() {
        let expiry = CivilTime(year: 2027, month: 1, day: 1, hour: 1, minute: 0, second: 0).secondsSince1970
        var access = AzureBlobSharedAccess(
            account: "acct", container: "cont", blob: "dir/a b+ü.bin", serviceVersion: "2023-11-03", expiry: expiry,
            allowsPlainHTTP: false)
        #expect(
            access.stringToSign
                == "r\n\n2027-01-01T01:00:00Z\n/blob/acct/cont/dir/a b+ü.bin\n\n\nhttps\n2023-11-03\nb\n\n\n\n\n\n\n")
        #expect(
            access.query(key: Self.key)
                == "sp=r&se=2027-01-01T01%3A00%3A00Z&spr=https&sv=2023-11-03&sr=b&sig=Z9ayZAFpRaUoiZFX9WfbI1BGq4bPRWpHjgFGtAtiNRc%3D"
        )
        access = AzureBlobSharedAccess(
            account: "devstoreaccount1", container: "cont", blob: "k", serviceVersion: "2023-11-03", expiry: expiry,
            allowsPlainHTTP: true)
        #expect(
            access.query(key: Self.key).hasSuffix(
                "&spr=https%2Chttp&sv=2023-11-03&sr=b&sig=uSc%2FvuLoePi6plnUkNXxfUoT2nr1Vn6O7CHVvcaDbO4%3D"))
    }
}
