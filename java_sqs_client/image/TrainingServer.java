import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

/**
 * Stands in for SQS while the image is built: the client talks to it so that the JVM can note which classes a run needs.
 *
 * <p>{@code java TrainingServer.java KEYSTORE PASSWORD ALIAS...} serves plain HTTP, and HTTPS once for each of these keys, on
 * free ports of the loopback address. It prints the ports on one line, in that order, and ends when its standard input
 * does. It never leaves the build.
 *
 * <p>What it answers depends on the last part of the queue's URL: a queue named {@code missing} does not exist, {@code
 * denied} may not be written to; any other takes every message, only that the first batch which has an entry with {@code
 * again} in its body has that entry fail as if SQS had stumbled.
 */
public final class TrainingServer {
  private static final String PROTOCOL = "application/x-amz-json-1.0";
  private static final String TEXT = "\"((?:[^\"\\\\]|\\\\.)*)\"";
  private static final Pattern BODY = Pattern.compile("\"MessageBody\"\\s*:\\s*" + TEXT);
  private static final Pattern ID = Pattern.compile("\"Id\"\\s*:\\s*" + TEXT);
  private static final Pattern ESCAPE = Pattern.compile("\\\\(u([0-9a-fA-F]{4})|.)");

  private boolean stumbled;

  private TrainingServer() {}

  public static void main(String[] arguments) throws IOException, GeneralSecurityException {
    TrainingServer training = new TrainingServer();
    List<HttpServer> servers = new ArrayList<>();
    InetSocketAddress anyPort = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    servers.add(HttpServer.create(anyPort, 0));
    for (int index = 2; index < arguments.length; index++) {
      HttpsServer server = HttpsServer.create(anyPort, 0);
      server.setHttpsConfigurator(
          new HttpsConfigurator(identity(Path.of(arguments[0]), arguments[1].toCharArray(), arguments[index])));
      servers.add(server);
    }
    StringBuilder ports = new StringBuilder();
    for (HttpServer server : servers) {
      server.createContext("/", training::answer);
      server.setExecutor(Executors.newCachedThreadPool());
      server.start();
      ports.append(server.getAddress().getPort()).append(' ');
    }
    System.out.println(ports.toString().trim());
    System.in.transferTo(OutputStream.nullOutputStream());
    System.exit(0);
  }

  private static SSLContext identity(Path keyStore, char[] password, String alias)
      throws IOException, GeneralSecurityException {
    KeyStore keys = KeyStore.getInstance("PKCS12");
    try (InputStream stored = Files.newInputStream(keyStore)) {
      keys.load(stored, password);
    }
    KeyStore chosen = KeyStore.getInstance("PKCS12");
    chosen.load(null, null);
    chosen.setKeyEntry(alias, keys.getKey(alias, password), password, keys.getCertificateChain(alias));
    KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    managers.init(chosen, password);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(managers.getKeyManagers(), null, null);
    return context;
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      String request = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
      String action = String.valueOf(exchange.getRequestHeaders().getFirst("X-Amz-Target"));
      int status = 200;
      String reply;
      if (request.contains("/missing\"")) {
        status = 400;
        reply = refusal("com.amazonaws.sqs#QueueDoesNotExist", "The specified queue does not exist.");
      } else if (request.contains("/denied\"")) {
        status = 403;
        reply = refusal("com.amazon.coral.service#AccessDeniedException", "Access to the resource is denied.");
      } else if (action.endsWith(".SendMessageBatch")) {
        reply = batch(request);
      } else {
        reply = "{" + sent(firstOf(BODY, request)) + "}";
      }
      byte[] bytes = reply.getBytes(StandardCharsets.UTF_8);
      exchange.getResponseHeaders().set("Content-Type", PROTOCOL);
      exchange.getResponseHeaders().set("x-amzn-RequestId", UUID.randomUUID().toString());
      exchange.sendResponseHeaders(status, bytes.length);
      exchange.getResponseBody().write(bytes);
    }
  }

  private static String refusal(String type, String message) {
    return "{\"__type\":\"" + type + "\",\"message\":\"" + message + "\"}";
  }

  /** An entry is one flat object, so ids and bodies come in pairs, whatever the bodies hold. */
  private synchronized String batch(String request) {
    List<String> ids = ID.matcher(request).results().map(found -> found.group(1)).toList();
    List<String> bodies = BODY.matcher(request).results().map(found -> found.group(1)).toList();
    StringBuilder successful = new StringBuilder();
    StringBuilder failed = new StringBuilder();
    boolean stumbling = false;
    for (int index = 0; index < ids.size(); index++) {
      String id = "{\"Id\":\"" + ids.get(index) + "\",";
      if (!stumbled && bodies.get(index).contains("again")) {
        stumbling = true;
        failed.append(failed.isEmpty() ? "" : ",").append(id);
        failed.append("\"SenderFault\":false,\"Code\":\"InternalError\",\"Message\":\"Try again.\"}");
      } else {
        successful.append(successful.isEmpty() ? "" : ",").append(id).append(sent(bodies.get(index))).append('}');
      }
    }
    stumbled |= stumbling;
    return "{\"Successful\":[" + successful + "],\"Failed\":[" + failed + "]}";
  }

  private static String sent(String jsonText) {
    try {
      byte[] body = unescaped(jsonText).getBytes(StandardCharsets.UTF_8);
      String digest = HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(body));
      return "\"MessageId\":\"" + UUID.randomUUID() + "\",\"MD5OfMessageBody\":\"" + digest + "\"";
    } catch (GeneralSecurityException missing) {
      throw new IllegalStateException(missing);
    }
  }

  private static String firstOf(Pattern pattern, String request) {
    Matcher found = pattern.matcher(request);
    return found.find() ? found.group(1) : "";
  }

  private static String unescaped(String jsonText) {
    return ESCAPE
        .matcher(jsonText)
        .replaceAll(
            found -> {
              String escape = found.group(1);
              String meaning =
                  switch (escape.charAt(0)) {
                    case 'b' -> "\b";
                    case 'f' -> "\f";
                    case 'n' -> "\n";
                    case 'r' -> "\r";
                    case 't' -> "\t";
                    case 'u' -> String.valueOf((char) Integer.parseInt(found.group(2), 16));
                    default -> escape;
                  };
              return Matcher.quoteReplacement(meaning);
            });
  }
}
