package org.example.notes;

import com.google.gson.Gson;

public class Notes {
    public static void main(String[] arguments) {
        System.out.println(new Gson().toJson(new String[] {"buy milk", "call home"}));
    }
}
