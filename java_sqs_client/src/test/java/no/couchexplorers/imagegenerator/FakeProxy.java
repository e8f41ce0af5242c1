package no.couchexplorers.imagegenerator;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** A proxy, or any server, on the loopback address: keeps what it is asked and gives one answer. */
final class FakeProxy implements AutoCloseable {
    private static final String END = "\r\n\r\n";

    private final ServerSocket server = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
    private final StringBuffer requests = new StringBuffer();
    private final String answer;

    /** Gives this answer to each request. */
    FakeProxy(String answer) throws IOException {
        this.answer = answer.replaceFirst("\r\n", "\r\nConnection: close\r\n");
        Thread thread = new Thread(this::serve, "proxy");
        thread.setDaemon(true);
        thread.start();
    }

    String address() {
        return "127.0.0.1:" + server.getLocalPort();
    }

    /** The heads of all requests so far. */
    String requests() {
        return requests.toString();
    }

    private void serve() {
        while (!server.isClosed()) {
            try (Socket connection = server.accept()) {
                String head = head(connection.getInputStream());
                if (head.isEmpty()) {
                    continue;
                }
                requests.append(head);
                connection.getOutputStream().write(answer.getBytes(StandardCharsets.ISO_8859_1));
            } catch (IOException ended) {
                // The next connection, or the end.
            }
        }
    }

    private static String head(InputStream input) throws IOException {
        ByteArrayOutputStream head = new ByteArrayOutputStream();
        for (int next = input.read(); next >= 0; next = input.read()) {
            head.write(next);
            if (head.toString(StandardCharsets.ISO_8859_1).endsWith(END)) {
                return head.toString(StandardCharsets.ISO_8859_1);
            }
        }
        return "";
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
