package no.couchexplorers.imagegenerator;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeout;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
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

    private static HttpExecuteRequest get(String address) {
        return HttpExecuteRequest.builder()
                .request(SdkHttpRequest.builder()
                        .method(SdkHttpMethod.GET)
                        .uri(URI.create(address))
                        .build())
                .build();
    }
}
