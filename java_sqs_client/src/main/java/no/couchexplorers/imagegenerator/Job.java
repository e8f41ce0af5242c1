package no.couchexplorers.imagegenerator;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.StringReader;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The JSON form of a message: an object with {@code prompt} and, if wanted, the fields below.
 *
 * <p>What is checked here is wrong for the worker too, whatever model paints; the limits of the single models are the
 * worker's to know.
 */
final class Job {
    private static final List<String> FIELDS =
            List.of("prompt", "id", "model", "seed", "size", "cfg_scale", "negative_prompt");
    private static final Pattern ID = Pattern.compile("[A-Za-z0-9_-]{1,64}");
    private static final Pattern SIZE = Pattern.compile("\\s*[1-9][0-9]{0,4}\\s*[xX\u00d7]\\s*[1-9][0-9]{0,4}\\s*");
    /** A name in quotes, straight or curly or single, or nothing between the braces. */
    private static final Pattern LIKE_A_JOB = Pattern.compile("\\{\\s*([\"'\\x{2018}-\\x{201f}}]|$)");

    private static final Pattern COLUMN = Pattern.compile(" column (\\d+)");

    private static final Pattern WHOLE_NUMBER = Pattern.compile("-?0|[1-9][0-9]{0,9}");

    /** The widest range of all models: Stability's, in the Bedrock user guide. */
    private static final long MAXIMUM_SEED = 4_294_967_295L;

    private final String place;
    private final JsonReader reader;

    private Job(String text, String place) {
        this.place = place;
        reader = new JsonReader(new StringReader(text));
        reader.setStrictness(Strictness.STRICT);
    }

    /** Refuses the text of a job that the worker would refuse; {@code place} begins the sentence. */
    static void check(String text, String place) throws UsageException {
        try {
            new Job(text, place).readAll();
        } catch (IOException error) {
            Matcher column = COLUMN.matcher(String.valueOf(error.getMessage()));
            throw new UsageException(
                    place + " starts with \"{\" but is no valid JSON"
                            + (column.find() ? " (column " + column.group(1) + ")" : "")
                            + ": " + howToSend(text) + ".",
                    error);
        }
    }

    /** Whether a text is a whole JSON value other than an object: a list, a text in quotes, a number, true, false, null. */
    static boolean isOtherJson(String text) {
        try (JsonReader value = new JsonReader(new StringReader(text))) {
            value.setStrictness(Strictness.STRICT);
            value.skipValue();
            return value.peek() == JsonToken.END_DOCUMENT;
        } catch (IOException | IllegalStateException error) {
            return false;
        }
    }

    /** Says what to do with a text that begins like JSON and is none: a job with a slip in it, or a prompt. */
    private static String howToSend(String text) {
        if (LIKE_A_JOB.matcher(text).lookingAt()) {
            return "fix the JSON, or write a prompt that starts with \"{\" as {\"prompt\": \"{...\"}";
        }
        String prompt = Explanation.shortened(text).replace("\\", "\\\\").replace("\"", "\\\"");
        return "write such a prompt as {\"prompt\": \"" + prompt + "\"}";
    }

    private void readAll() throws IOException, UsageException {
        Set<String> seen = new HashSet<>();
        reader.beginObject();
        while (reader.hasNext()) {
            String name = reader.nextName();
            if (!seen.add(name)) {
                throw wrong("gives " + Explanation.quoted(name) + " twice: give it once.");
            }
            readField(name);
        }
        reader.endObject();
        // Looking further refuses whatever comes after the object.
        reader.peek();
        if (!seen.contains("prompt")) {
            throw wrong("has no prompt: give {\"prompt\": \"...\"} or the bare prompt.");
        }
    }

    private void readField(String name) throws IOException, UsageException {
        if (!FIELDS.contains(name)) {
            throw wrong("has a field " + Explanation.quoted(name) + " that no job has: its fields are "
                    + String.join(", ", FIELDS) + ".");
        }
        // A field that is null counts as left out, but for the prompt.
        if (reader.peek() == JsonToken.NULL && !name.equals("prompt")) {
            reader.nextNull();
            return;
        }
        switch (name) {
            case "id" -> checkForm(name, ID, "1 to 64 of the characters A-Z, a-z, 0-9, _ and -");
            case "size" -> checkForm(name, SIZE, "width x height in pixels, like \"1024x1024\"");
            case "seed" -> checkSeed();
            case "cfg_scale" -> read(name, JsonToken.NUMBER, "number");
            default -> checkText(name);
        }
    }

    private void checkForm(String name, Pattern form, String wanted) throws IOException, UsageException {
        String value = read(name, JsonToken.STRING, "text");
        if (!form.matcher(value).matches()) {
            throw wrong("has the " + name + " " + Explanation.quoted(value) + ": give " + wanted + ".");
        }
    }

    private void checkSeed() throws IOException, UsageException {
        String seed = read("seed", JsonToken.NUMBER, "number");
        if (!WHOLE_NUMBER.matcher(seed).matches() || Long.parseLong(seed) > MAXIMUM_SEED) {
            throw wrong("has the seed " + Explanation.shortened(seed) + ": give a whole number from 0 to "
                    + MAXIMUM_SEED + ".");
        }
    }

    private void checkText(String name) throws IOException, UsageException {
        String text = read(name, JsonToken.STRING, "text");
        if (text.isBlank() && !name.equals("model")) {
            throw wrong("has an empty " + name + ": write one" + (name.equals("prompt") ? "." : ", or leave it out."));
        }
        // Only an escape brings one: as a plain character it was refused before, and so is half a character pair.
        if (text.indexOf('\0') >= 0) {
            throw wrong("has a NUL in its " + name + ": remove it.");
        }
    }

    private String read(String name, JsonToken wanted, String described) throws IOException, UsageException {
        JsonToken token = reader.peek();
        if (token != wanted) {
            throw wrong("has a " + name + " that is no " + described + ": give a " + described + ".");
        }
        return reader.nextString();
    }

    private UsageException wrong(String what) {
        return new UsageException(place + " " + what);
    }
}
