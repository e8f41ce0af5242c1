package no.couchexplorers.imagegenerator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import software.amazon.awssdk.http.ExecutableHttpRequest;
import software.amazon.awssdk.http.HttpExecuteRequest;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;

class LazyTlsHttpClientTest {
    private static final Duration SHORT = Duration.ofMillis(200);

    @Test
    void a_server_that_never_answers_is_given_up_over_http_and_over_https() throws Exception {
        try (ServerSocket silent = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
                SdkHttpClient client = new LazyTlsHttpClient(Map.of(), SHORT, SHORT)) {
            for (String scheme : new String[] {"http", "https"}) {
                ExecutableHttpRequest request =
                        client.prepareRequest(get(scheme + "://127.0.0.1:" + silent.getLocalPort()));

                assertTimeout(Duration.ofSeconds(10), () -> assertThrows(SocketTimeoutException.class, request::call));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"})
    void a_host_over_http_is_asked_through_the_proxy(String variable) throws Exception {
        try (FakeProxy proxy = new FakeProxy("HTTP/1.1 204 No Content\r\n\r\n")) {
            int status = status(Map.of(variable, "http://" + proxy.address()), "http://queue.example/1/q");

            assertEquals(204, status);
            assertTrue(proxy.requests().startsWith("GET http://queue.example/1/q HTTP/1.1\r\n"), proxy.requests());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
    void a_host_over_https_is_asked_through_a_tunnel_of_the_proxy(String variable) throws Exception {
        try (FakeProxy proxy = new FakeProxy("HTTP/1.1 502 Bad Gateway\r\n\r\n")) {
            Map<String, String> environment = Map.of(variable, proxy.address());

            assertThrows(IOException.class, () -> status(environment, "https://sqs.eu-west-1.amazonaws.com/1/q"));
            assertTrue(
                    proxy.requests().startsWith("CONNECT sqs.eu-west-1.amazonaws.com:443 HTTP/1.1\r\n"),
                    proxy.requests());
        }
    }

    @Test
    void the_proxy_for_http_is_not_asked_for_https() throws Exception {
        try (FakeProxy proxy = new FakeProxy("HTTP/1.1 502 Bad Gateway\r\n\r\n")) {
            Map<String, String> environment = Map.of("HTTP_PROXY", proxy.address());

            assertThrows(IOException.class, () -> status(environment, "https://nowhere.invalid/1/q"));
            assertEquals("", proxy.requests());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"http://queue.example/1/q", "https://queue.example/1/q"})
    void the_user_and_the_password_reach_the_proxy(String url) throws Exception {
        String asks = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
                + "Content-Length: 0\r\n\r\n";
        try (FakeProxy proxy = new FakeProxy(asks)) {
            String login = "http://me:p@ss%3A@" + proxy.address();

            try {
                status(Map.of("http_proxy", login, "https_proxy", login), url);
            } catch (IOException refused) {
                // A tunnel that is refused.
            }
            String header = Base64.getEncoder().encodeToString("me:p@ss:".getBytes(StandardCharsets.UTF_8));
            String requests = proxy.requests().replace("Proxy-authorization", "Proxy-Authorization");
            assertEquals(2, requests.split("Proxy-Authorization: Basic " + header, -1).length, requests);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1", "localhost"})
    void the_loopback_address_is_asked_without_the_proxy(String host) throws Exception {
        try (FakeProxy proxy = new FakeProxy("HTTP/1.1 502 Bad Gateway\r\n\r\n");
                FakeProxy queue = new FakeProxy("HTTP/1.1 204 No Content\r\n\r\n")) {
            Map<String, String> environment = Map.of("http_proxy", proxy.address(), "ALL_PROXY", proxy.address());

            assertEquals(204, status(environment, "http://" + queue.address().replace("127.0.0.1", host) + "/1/q"));
            assertEquals("", proxy.requests());
        }
    }

    private static int status(Map<String, String> environment, String url) throws IOException {
        Duration patience = Duration.ofSeconds(30);
        try (SdkHttpClient client = new LazyTlsHttpClient(environment, patience, patience)) {
            return client.prepareRequest(get(url)).call().httpResponse().statusCode();
        }
    }

    private static HttpExecuteRequest get(String address) {
        return HttpExecuteRequest.builder()
                .request(SdkHttpRequest.builder()
                        .method(SdkHttpMethod.GET)
                        .uri(URI.create(address))
                        .build())
                .build();
    }
}
