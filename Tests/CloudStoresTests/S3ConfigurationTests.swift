import AWS
import HTTPStores
import S3
import Testing

@Suite struct S3ConfigurationTests {
    func resolve(
        endpoint: String? = nil, region: String? = nil, profile: String? = nil, _ environment: [String: String] = [:],
        config: String? = nil
    ) throws -> S3Configuration {
        try S3Configuration.resolve(
            endpoint: endpoint, region: region, profile: profile, environment: environment,
            files: try AWSSharedFiles(credentials: nil, config: config))
    }

    let config = """
        [default]
        region = eu-central-1
        [profile minio]
        region = us-here-1
        endpoint_url = http://127.0.0.1:9000
        [profile served]
        services = local
        endpoint_url = http://general
        [services local]
        s3 =
          endpoint_url = http://s3.local:1
        """

    @Test func theFirstThatSaysSomethingCounts() throws {
        #expect(try resolve().region == "us-east-1")
        #expect(try resolve(config: config).region == "eu-central-1")
        #expect(try resolve(["AWS_DEFAULT_REGION": "eu-r-2"], config: config).region == "eu-r-2")
        #expect(
            try resolve(["AWS_DEFAULT_REGION": "eu-r-2", "AWS_REGION": "eu-r-1"], config: config).region == "eu-r-1")
        #expect(try resolve(region: "eu-r-0", ["AWS_REGION": "eu-r-1"], config: config).region == "eu-r-0")
        #expect(try resolve(profile: "minio", config: config).endpoint?.origin == "http://127.0.0.1:9000")
        #expect(try resolve(["AWS_PROFILE": "minio"], config: config).region == "us-here-1")
        #expect(try resolve(profile: "served", config: config).endpoint?.origin == "http://s3.local:1")
        #expect(
            try resolve(profile: "minio", ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"], config: config).endpoint
                == nil)
        #expect(
            try resolve(profile: "minio", ["AWS_ENDPOINT_URL": "http://u"], config: config).endpoint?.origin
                == "http://u")
        #expect(
            try resolve(["AWS_ENDPOINT_URL": "http://u", "AWS_ENDPOINT_URL_S3": "http://s"]).endpoint?.origin
                == "http://s")
        #expect(try resolve(endpoint: "http://e", ["AWS_ENDPOINT_URL_S3": "http://s"]).endpoint?.origin == "http://e")
        #expect(try resolve(endpoint: "https://s3.eu-west-3.amazonaws.com").region == "eu-west-3")
    }

    @Test func badSettingsAreNamed() {
        #expect(throws: SettingError.self) { try resolve(endpoint: "ftp://x") }
        #expect(throws: SettingError.self) { try resolve(["AWS_ENDPOINT_URL": "http://user@host"]) }
        #expect(throws: SettingError.self) { try resolve(region: "a.b") }
        #expect(throws: SettingError.self) { try resolve(profile: "nobody", config: config) }
    }

    func address(
        _ endpoint: String?, _ bucket: String, _ addressing: S3Configuration.Addressing = .automatic,
        region: String = "eu-west-1"
    ) -> String {
        let configuration = S3Configuration(
            endpoint: endpoint.map { Endpoint($0)! }, region: region, addressing: addressing)
        let address = S3Address(endpoint: configuration.endpoint(in: region), bucket: bucket, addressing: addressing)
        return "\(address.scheme)://\(address.authority)\(address.basePath)"
    }

    @Test func addressing() {
        #expect(address(nil, "data") == "https://data.s3.eu-west-1.amazonaws.com")
        #expect(address(nil, "my.data") == "https://s3.eu-west-1.amazonaws.com/my.data")
        #expect(address(nil, "data", .path) == "https://s3.eu-west-1.amazonaws.com/data")
        #expect(address(nil, "data", region: "cn-north-1") == "https://data.s3.cn-north-1.amazonaws.com.cn")
        #expect(address("http://127.0.0.1:9000", "data") == "http://127.0.0.1:9000/data")
        #expect(address("https://minio.example/base", "data") == "https://minio.example/base/data")
        #expect(address("http://localhost:9000", "data", .virtualHost) == "http://data.localhost:9000")
        #expect(
            address("https://vpce-1-abc.s3.us-east-1.vpce.amazonaws.com", "data")
                == "https://vpce-1-abc.s3.us-east-1.vpce.amazonaws.com/data")
        // What cannot be a label never becomes part of the host.
        #expect(address(nil, "evil.example/x") == "https://s3.eu-west-1.amazonaws.com/evil.example%2Fx")
        #expect(address("http://h", "a/b", .virtualHost) == "http://h/a%2Fb")
    }

    @Test func regionsMoveTheHostAtAmazonOnly() {
        func host(_ endpoint: String?, from: String, to: String) -> String {
            S3Configuration(endpoint: endpoint.map { Endpoint($0)! }, region: from).endpoint(in: to).host
        }
        #expect(host(nil, from: "us-east-1", to: "eu-west-1") == "s3.eu-west-1.amazonaws.com")
        #expect(host("https://s3.amazonaws.com", from: "us-east-1", to: "eu-west-1") == "s3.eu-west-1.amazonaws.com")
        #expect(
            host("https://s3.dualstack.us-east-1.amazonaws.com", from: "us-east-1", to: "ap-south-2")
                == "s3.dualstack.ap-south-2.amazonaws.com")
        #expect(
            host("https://s3-accelerate.amazonaws.com", from: "us-east-1", to: "eu-west-1")
                == "s3-accelerate.amazonaws.com")
        #expect(host("http://127.0.0.1:9000", from: "us-east-1", to: "eu-west-1") == "127.0.0.1")
        #expect(
            host("https://amazonaws.com.evil.example", from: "us-east-1", to: "eu-west-1")
                == "amazonaws.com.evil.example")
    }
}
