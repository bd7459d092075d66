/// The key of RFC 7515, appendix A.2, and a certificate for it that OpenSSL's command made.
package enum RSATestKey {
    /// SHA-256 of the certificate's DER.
    package static let fingerprint = "8038858216e7f95fff72e1644ba3b43ed0f70e24686619d3856c355db9ea71b3"
    /// The same in base64url, as tokens name it.
    package static let thumbprint = "gDiFghbn-V__cuFkS6O0PtD3DiRoZhnThWw1XbnqcbM"

    package static let certificatePEM = """
        -----BEGIN CERTIFICATE-----
        MIIDEzCCAfugAwIBAgIUFTJoutZyv6BQEBPtUfHyic95DHIwDQYJKoZIhvcNAQEL
        BQAwGDEWMBQGA1UEAwwNbG9ja3N0ZXAtdGVzdDAgFw0yNjExMjExODAzMzBaGA8y
        MTI2MTAyODE4MDMzMFowGDEWMBQGA1UEAwwNbG9ja3N0ZXAtdGVzdDCCASIwDQYJ
        KoZIhvcNAQEBBQADggEPADCCAQoCggEBAKH4Fgri48m0Zc6NLWViYzYrkn2+KeHw
        JHf8FiXMkKE244vZNJfFtupj3XcR5nx0KflWsPuKjwia3EtpiTzBMz9T7dAZuHeE
        JS/skU/khXdpWUvqQoDTLA9Vv2KUTxMDlrxum99uvdK9o2eO7KDGaPcBs42/+zjI
        NCzi/m0n+t5KWkh0l53Uuc+a3sTHWwWFLCwPXvilwXUDkvlE6O1kwRDGtkdgmqR4
        OuucbJrXVTEwUGOLg2Zcb296gqOWcCofZBuC0+vyOSIZSR+2hocsVxb1Cvg1jZqL
        nRfDQHKPf4fYmhjY/KtnrYRZDC7PdZM5NjwHA01vYG+eIeBUVsrl6aECAwEAAaNT
        MFEwHQYDVR0OBBYEFDMYiI+nv4OQzd7TXVSJ6VFjGdrZMB8GA1UdIwQYMBaAFDMY
        iI+nv4OQzd7TXVSJ6VFjGdrZMA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQEL
        BQADggEBAIDyJjVT2Rqkx4Cu9KI2PIbOpR66e/RtDdHbFGUCzKfIteDK8kXrEhSm
        SeZTPw6RcR/yG06MQbKcncp/HqCda8153DSbzgGcyVjT4AV0pJGZQKMBSajAr3Zy
        MZGa4uX4bK61u9yl11nnqxJBRVn864SYjSEjH8ZPM8Ao67nYy3/5xLiNAP/V7S8J
        dUjSA7aQTSB3nulpTBeSC8+9dozI9wwwSAAZoV6HXUr7JzePcsmo/Pu6tGB1icg9
        UYHR4SddxKfUNDOrxvhHrIZxGOno+TvIK+bbusW6XYrB7kP76I1Wupnz7j6zpSIk
        8OpS7ZuZqbYYsmxjD54obxVX6+ulgsQ=
        -----END CERTIFICATE-----

        """

    package static let privatePEM = """
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh+BYK4uPJtGXO
        jS1lYmM2K5J9vinh8CR3/BYlzJChNuOL2TSXxbbqY913EeZ8dCn5VrD7io8ImtxL
        aYk8wTM/U+3QGbh3hCUv7JFP5IV3aVlL6kKA0ywPVb9ilE8TA5a8bpvfbr3SvaNn
        juygxmj3AbONv/s4yDQs4v5tJ/reSlpIdJed1LnPmt7Ex1sFhSwsD174pcF1A5L5
        ROjtZMEQxrZHYJqkeDrrnGya11UxMFBji4NmXG9veoKjlnAqH2QbgtPr8jkiGUkf
        toaHLFcW9Qr4NY2ai50Xw0Byj3+H2JoY2PyrZ62EWQwuz3WTOTY8BwNNb2BvniHg
        VFbK5emhAgMBAAECggEAEq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyW
        PEAeP88vLNO97IjlA7/GQ5sLKMgvfTeXZx9SE+7YwVol2NXOoAJe46sui395IW/G
        O+pWJ1O0BkTGoVEn2bKVRUCgu+GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzj
        kn439X0M/V51gfpRLI9JYanrC4D4qAdGcopV/0ZHHzQlBjudU2QvXt4ehNYTCBr6
        XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl/x/jTj3ccPDVZFD9pIuhLhBOneufuBiB
        4cS98l2SR/RQyGWSeWjnczT0QU91p1DhOVRuOopznQKBgQDgHMQQ60imZV1URk0K
        pLttoLhyt3SmqdEf/kgHePDdtzEafpAu+cS191R2JiuoF2yzWXnwFDcqGigp5BNr
        0AHQfD8/Lk8l1Mk09jxxCfui5nYooNyac8YFjm3vItzVCVDnEd3BbVWG8qf6deqE
        lMGAg+C2V0L4oNXnP7LZcPAZRwKBgQC5A8R+CZW2MvRTLLHzwZkUXV866cff7tx6
        kqa0finGG0KgeqlaZPxgCZnFp7AeAcCMtiynVlJ7vMVgePsLq6XtON4tB5kP9jAP
        rq3rbAOal78eUH5OcED6eNuCV8ixEu1eWcPNCS/l1OW1EnXUEoEHKl54Xrrz2uNw
        kgMTP1FZ1wKBgAcCn1dwJKufzBWQxWQp1vsM5fggqPN1qGb5y0MAk3g7/Ls5bkUp
        5u9SN0Ai3Ya6hNnvWJMb7sXQX6U/zyO2M/hTip7tUeh7CXgwo59dkpN75gJLVds2
        9+DAncu3KXU4f2Fa+7bLNrur53k8KwPOq2bbuTG69QtV7Jr5MR0AHWKNAoGBAIf/
        evpitUf+4JYbLpvNXWcY052Mpz22aR84mY3nh3F2LF2mjMJDpTg7FmuyPcVw6EcG
        yoAe9fa65iNqCq+jdw6PVNGo2hxfjSiZ8IIzHdsPXI89//pMjZcQK9r+CCoRjaZj
        OYiIDktVWZzmevJuv6WywUqd57LE3Zar3dLSIkx1AoGAIYd7DHOhrWvxkwPQsRM2
        tOgrjbcrfvtQJipd+DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd/QJQ3
        ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp/gh6A56
        03k2+ZQwVK0JKSHuLFkuQ3U=
        -----END PRIVATE KEY-----

        """
}
