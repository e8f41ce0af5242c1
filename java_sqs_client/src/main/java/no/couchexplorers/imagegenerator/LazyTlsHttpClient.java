package no.couchexplorers.imagegenerator;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.time.Duration;
import java.util.Map;
import software.amazon.awssdk.http.ExecutableHttpRequest;
import software.amazon.awssdk.http.HttpExecuteRequest;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;

/**
 * The SDK's client over Java's own connections, which sets up TLS only when it is spoken.
 *
 * <p>The SDK reads all trusted certificates as soon as its client is made, and this takes a quarter of the time in
 * which a message reaches a local cloud over plain HTTP.
 */
final class LazyTlsHttpClient implements SdkHttpClient {
    private final Duration connectTimeout;
    private final Duration readTimeout;
    private final boolean proxied;
    private SdkHttpClient plain;
    private SdkHttpClient complete;

    /** The environment tells whether plain HTTP goes through a proxy, which only the SDK's own set-up asks. */
    LazyTlsHttpClient(Map<String, String> environment, Duration connectTimeout, Duration readTimeout) {
        this.connectTimeout = connectTimeout;
        this.readTimeout = readTimeout;
        proxied = environment.containsKey("HTTP_PROXY") || environment.containsKey("http_proxy");
    }

    @Override
    public ExecutableHttpRequest prepareRequest(HttpExecuteRequest request) {
        boolean simple = !proxied && request.httpRequest().protocol().equals("http");
        return (simple ? plain() : complete()).prepareRequest(request);
    }

    private synchronized SdkHttpClient plain() {
        if (plain == null) {
            plain = UrlConnectionHttpClient.create(this::connect);
        }
        return plain;
    }

    private synchronized SdkHttpClient complete() {
        if (complete == null) {
            complete = UrlConnectionHttpClient.builder()
                    .connectionTimeout(connectTimeout)
                    .socketTimeout(readTimeout)
                    .build();
        }
        return complete;
    }

    private HttpURLConnection connect(URI uri) {
        try {
            HttpURLConnection connection = (HttpURLConnection) uri.toURL().openConnection();
            connection.setConnectTimeout((int) connectTimeout.toMillis());
            connection.setReadTimeout((int) readTimeout.toMillis());
            return connection;
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    @Override
    public String clientName() {
        return "UrlConnection";
    }

    /** Java keeps and closes the connections itself. */
    @Override
    public void close() {
        // Nothing is held here.
    }
}
