//! Targets as people, and people who mean harm, write them: which are refused and why,
//! which are no destination at all, and which are fine. `PORT` is a receiver's.

/// Why, as the record says it, and the URLs.
#[rustfmt::skip]
pub(super) const FORBIDDEN: &[(&str, &[&str])] = &[
    ("is loopback", &[
        // As it is usually written, and as no reader would.
        "http://127.0.0.1:PORT/hooks", "http://127.0.0.1.:PORT/", "http://127.1:PORT/", "http://127.0.1:PORT/",
        "http://127.255.255.254:PORT/", "http://2130706433:PORT/", "http://017700000001:PORT/",
        "http://0x7f000001:PORT/", "http://0x7f.0.0.1:PORT/", "http://0x7f.1:PORT/", "http://0177.0.0.1:PORT/",
        "http://0177.0.0.01:PORT/", "http://0X7F.0x0.0X0.0x1:PORT/", "http://127.0.0.0x1:PORT/",
        "http://127.0x000001:PORT/", "http://0000000000177.0.0.1:PORT/",
        // Encoded, and in other digits and dots.
        "http://%31%32%37.0.0.1:PORT/", "http://127%2e0%2e0%2e1:PORT/", "http://%30x7f.1:PORT/",
        "http://127。0。0。1:PORT/", "http://１２７．０．０．１:PORT/", "http://①②⑦.0.0.1:PORT/",
        "http://12\u{ad}7.0.0.1:PORT/", "http://𝟭𝟮𝟳.0.0.1:PORT/",
        // What looks like another host, and slashes that are none.
        "http://127.0.0.1:PORT#@example.com/", "http://127.0.0.1:PORT?@example.com/",
        "http://127.0.0.1:PORT\\@example.com/", "http:\\\\127.0.0.1:PORT\\hooks", "http:127.0.0.1:PORT/",
        "http:/127.0.0.1:PORT/", "http:////127.0.0.1:PORT/", "HTTP://127.0.0.1:PORT/", " http://127.0.0.1:PORT/ ",
        "https://127.0.0.1:PORT/", "https://0x7f.1:PORT/",
        // Names that are this machine's wherever they are looked up.
        "http://localhost:PORT/", "http://LOCALHOST:PORT/", "http://localhost.:PORT/", "http://a.localhost:PORT/",
        "http://a.b.LocalHost.:PORT/", "http://ｌｏｃａｌｈｏｓｔ:PORT/", "http://%6cocalhost:PORT/",
        "https://localhost:PORT/",
        // IPv6, and IPv4 inside it.
        "http://[::1]:PORT/", "http://[0:0:0:0:0:0:0:1]:PORT/", "http://[0000::0001]:PORT/",
        "http://[::ffff:127.0.0.1]:PORT/", "http://[::ffff:7f00:1]:PORT/", "http://[0:0:0:0:0:FFFF:127.0.0.1]:PORT/",
        "http://[::127.0.0.1]:PORT/", "http://[::7f00:1]:PORT/", "http://[::ffff:0:127.0.0.1]:PORT/",
        "http://[64:ff9b::127.0.0.1]:PORT/", "http://[64:ff9b::7f00:1]:PORT/", "http://[2002:7f00:1::]:PORT/",
        "http://[2001:0:7f00:1::]:PORT/", "http://[2001:0:808:808::80ff:fffe]:PORT/",
        "http://[2a00::5efe:7f00:1]:PORT/",
    ]),
    ("is unspecified", &[
        "http://0.0.0.0:PORT/", "http://0:PORT/", "http://0x0:PORT/", "http://00.0:PORT/", "http://[::]:PORT/",
        "http://0.1.2.3:PORT/", "http://[::ffff:0.0.0.0]:PORT/",
    ]),
    ("is a cloud provider's metadata service", &[
        "http://169.254.169.254/latest/meta-data/", "http://2852039166/", "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/", "http://169.254.43518/", "http://[::ffff:169.254.169.254]/",
        "http://[::ffff:a9fe:a9fe]/", "http://[::a9fe:a9fe]/", "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::]/", "http://169.254.170.2/", "http://169.254.170.23/", "http://[fd00:ec2::254]/",
        "http://[fd00:ec2::23]/", "http://[fd20:ce::254]/", "http://[fe80::a9fe:a9fe]/", "http://100.100.100.200/",
        "http://1684301000/", "http://168.63.129.16/", "http://2822734096/", "http://192.0.0.192/",
        "http://169.254.42.42/",
    ]),
    ("is link-local", &["http://169.254.1.1/", "http://[fe80::1]/", "http://[febf::1]/", "http://[::ffff:a9fe:101]/"]),
    ("is private", &[
        "http://10.0.0.1/", "http://10.1/", "http://167772161/", "http://172.16.0.1/", "http://172.31.255.255/",
        "http://192.168.0.1/", "http://192.168.1/", "http://[fc00::1]/", "http://[fd12:3456::1]/",
        "http://[::ffff:10.0.0.1]/", "http://[2002:a00:1::]/", "http://[2002:c0a8:101::1]/",
        "http://[64:ff9b::192.168.0.1]/",
    ]),
    ("is carrier-grade NAT", &["http://100.64.0.1/", "http://100.127.255.255/", "http://[::ffff:100.64.0.1]/"]),
    ("is a local NAT64 prefix", &["http://[64:ff9b:1::7f00:1]/", "http://[64:ff9b:1::a00:1]/"]),
    ("is for documentation", &["http://203.0.113.7/", "http://192.0.2.1/", "http://[2001:db8::1]/", "http://[3fff::1]/"]),
    ("is for benchmarking", &["http://198.18.0.1/", "http://[2001:2::1]/"]),
    ("is multicast", &["http://224.0.0.1/", "http://239.255.255.255/", "http://[ff02::1]/"]),
    ("is broadcast", &["http://255.255.255.255/", "http://4294967295/"]),
    ("is reserved", &["http://240.0.0.1/", "http://192.0.0.1/", "http://[4000::1]/", "http://[5f00::1]/"]),
    ("is site-local", &["http://[fec0::1]/"]),
    ("is discarded", &["http://[100::1]/"]),
];

/// What the configuration says, and the URL that it says it of.
pub(super) const NO_DESTINATION: &[(&str, &str)] = &[
    ("holds a user or a password", "http://example.com@127.0.0.1/"),
    ("holds a user or a password", "http://example.com:80@127.0.0.1/"),
    ("holds a user or a password", "http://example.com%2f@127.0.0.1/"),
    ("holds a user or a password", "https://:x@127.0.0.1/"),
    ("holds a user or a password", "http:127.0.0.1@localhost/"),
    ("this is not a URL", "http://256.0.0.1/"),
    ("this is not a URL", "http://0x100000000/"),
    ("this is not a URL", "http://1.2.3.4.5/"),
    ("this is not a URL", "http://127.0.0.1:99999/"),
    ("this is not a URL", "http://[fe80::1%25eth0]/"),
    ("this is not a URL", "http://[::1/"),
    ("this is not a URL", "http://127.0.0.1%00.example.com/"),
    ("this is not a URL", "http:///"),
    ("this is not a URL", "//127.0.0.1/"),
    ("begins with http:// or https://", "file:///etc/passwd"),
    ("begins with http:// or https://", "gopher://127.0.0.1:6379/_x"),
    ("begins with http:// or https://", "ftp://example.com/"),
    ("begins with http:// or https://", "unix:/run/docker.sock"),
    ("begins with http:// or https://", "javascript:alert(1)"),
];

/// A URL, and where a connection to it goes.
pub(super) const ALLOWED: &[(&str, &str)] = &[
    ("http://1.1.1.1/", "1.1.1.1:80"),
    ("http://8.8.8.8:8080/hooks?a=b#c", "8.8.8.8:8080"),
    ("http://134744072/", "8.8.8.8:80"),
    ("http://0x8.0x8.2056/", "8.8.8.8:80"),
    ("http://9.255.255.255/", "9.255.255.255:80"),
    ("http://11.0.0.1/", "11.0.0.1:80"),
    ("http://100.63.255.255/", "100.63.255.255:80"),
    ("http://100.128.0.1/", "100.128.0.1:80"),
    ("http://168.63.129.17/", "168.63.129.17:80"),
    ("http://169.253.169.254/", "169.253.169.254:80"),
    ("http://172.15.255.255/", "172.15.255.255:80"),
    ("http://172.32.0.1/", "172.32.0.1:80"),
    ("http://192.0.1.1/", "192.0.1.1:80"),
    ("http://192.167.255.255/", "192.167.255.255:80"),
    ("http://198.20.0.1/", "198.20.0.1:80"),
    ("http://223.255.255.255/", "223.255.255.255:80"),
    ("http://[2606:4700::1111]/", "[2606:4700::1111]:80"),
    ("http://[2001:4860:4860::8888]:8080/", "[2001:4860:4860::8888]:8080"),
    ("http://[::ffff:8.8.8.8]/", "[::ffff:8.8.8.8]:80"),
    ("http://[64:ff9b::808:808]/", "[64:ff9b::808:808]:80"),
    ("http://crm.example.com/", "93.184.215.14:80"),
    ("http://CRM.example.com.:8080/", "93.184.215.14:8080"),
    // What only looks like a place here.
    ("http://127.0.0.1.example.com/", "93.184.215.14:80"),
    ("http://localhost.example.com/", "93.184.215.14:80"),
];
